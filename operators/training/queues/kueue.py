"""The conditions of the Workload that Kueue makes of an object say why that waits in its LocalQueue. Pure.

Who names a LocalQueue, how that stands on record, and what a Workload's conditions mean. This module does not know who
reads Workloads, nor how an object is suspended.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from windlass.informers.resources import Resource
from windlass.operators.training.types import Workload

__all__ = (
    "GROUP",
    "JOB_UID_LABEL",
    "QUEUE_LABEL",
    "VERSIONS",
    "local_queue_in",
    "local_queue_of",
    "on_record",
    "understood",
    "why_it_waits",
    "workload_kind",
)

GROUP: Final = "kueue.x-k8s.io"
VERSIONS: Final = ("v1beta2", "v1beta1")
"""Those that are understood, the newest first; what is read here is the same in both."""

QUEUE_LABEL: Final = f"{GROUP}/queue-name"
JOB_UID_LABEL: Final = f"{GROUP}/job-uid"
"""The label of a Workload that has the uid of the object it was made of."""

_MARK: Final = f"{GROUP}/"  # no queue of ours has such a name

Json = Mapping[str, Any]


def workload_kind(version: str) -> Resource:
    """Kueue's Workload in this version."""
    return Resource(GROUP, version, "Workload", "workloads")


def understood(served: Collection[str]) -> str:
    """The newest version that is served and understood; empty if there is none."""
    return next((one for one in VERSIONS if one in served), "")


def local_queue_of(workload: Workload | None) -> str:
    """The LocalQueue that a job names; empty if it names none."""
    return "" if workload is None else workload.labels.get(QUEUE_LABEL, "")


def on_record(local_queue: str) -> str:
    """How the LocalQueue that admits a run stands on its record."""
    return f"{_MARK}{local_queue}"


def local_queue_in(recorded: str) -> str:
    """The LocalQueue that the record of a run names; empty if the run got its place from a queue of ours."""
    return recorded.removeprefix(_MARK) if recorded.startswith(_MARK) else ""


def why_it_waits(workload: Json | None, local_queue: str) -> str:
    """What keeps a suspended object from being let go on, for people. `workload` is None if there is none yet."""
    queue = f"Kueue, LocalQueue {local_queue}"
    if workload is None:
        return f"{queue}: there is no Workload of it yet; is Kueue's controller running, with this kind among its jobs?"
    conditions = {one["type"]: one for one in (workload.get("status") or {}).get("conditions") or ()}
    true = {kind for kind, one in conditions.items() if one.get("status") == "True"}
    if "Evicted" in true:
        return f"{queue}: evicted, {_told(conditions['Evicted'])}{_pending(conditions, true, before='; ')}"
    if "Admitted" in true:
        return f"{queue}: admitted, about to go on"
    return f"{queue}: {_pending(conditions, true) or 'it has not been looked at yet'}"


def _pending(conditions: Mapping[str, Json], true: Collection[str], *, before: str = "") -> str:
    reserved = conditions.get("QuotaReserved")
    if reserved is None:
        return ""
    if "QuotaReserved" in true:
        return "" if before else "quota is reserved, its admission checks are not done"
    return f"{before}{_told(reserved)}"


def _told(condition: Json) -> str:
    return ": ".join(text for text in (condition.get("reason"), condition.get("message")) if text)
