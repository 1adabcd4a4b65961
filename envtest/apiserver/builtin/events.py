"""An Event is one object under two names: as `v1`, in which it is stored, and as `events.k8s.io/v1`. Pure.

The second calls some fields otherwise, and is stricter about what it takes. Absent times and parts are written as a
real server writes them, each version its own.
"""

import re

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.values import Json

__all__ = ("EVENTS", "NEW_EVENTS", "complete_event", "event_faults", "event_in", "stored_field")

EVENTS, NEW_EVENTS = "events", "events.events.k8s.io"
_OLD, _NEW = "v1", "events.k8s.io/v1"
_NAMES = {  # as v1 says it -> as events.k8s.io does
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_OLD_NAMES = {new: old for old, new in _NAMES.items()}
_OLD_ALWAYS: Json = {
    "involvedObject": {}, "source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None,
    "reportingComponent": "", "reportingInstance": "",
}  # fmt: skip
_NEW_ALWAYS: Json = {
    "eventTime": None, "regarding": {}, "deprecatedSource": {}, "deprecatedFirstTimestamp": None,
    "deprecatedLastTimestamp": None,
}  # fmt: skip
_QUALIFIED = re.compile(r"([a-z0-9][-a-z0-9.]{0,252}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_NEEDED = ("reportingController", "reportingInstance", "action", "reason")
_UNSET = ("firstTimestamp", "lastTimestamp", "count", "source")
_LENGTH_MAX, _NOTE_MAX, _COUNT_MIN = 128, 1024, 2


def event_in(obj: Json, api_version: str) -> Json:
    """The Event as one of the two versions shows it."""
    if obj["apiVersion"] == api_version:
        return obj
    names, always = (_NAMES, _NEW_ALWAYS) if api_version == _NEW else (_OLD_NAMES, _OLD_ALWAYS)
    renamed: Json = {names.get(field, field): value for field, value in obj.items()}
    head = {"apiVersion": api_version, "kind": obj["kind"], "metadata": obj["metadata"]}
    kept = {field: value for field, value in renamed.items() if field in always or value not in (None, "", {}, 0)}
    return head | always | {field: value for field, value in kept.items() if field not in head}


def complete_event(obj: Json) -> None:
    """Write what events.k8s.io writes of what is absent. Changes `obj`."""
    for field, value in _NEW_ALWAYS.items():
        if obj.get(field) is None:
            obj[field] = dict(value) if isinstance(value, dict) else value


def stored_field(field: str) -> str:
    """How the stored object calls a field, for the selectors of events.k8s.io."""
    first, dot, rest = field.partition(".")
    return _OLD_NAMES.get(first, first) + dot + rest


def event_faults(obj: Json) -> list[Fault]:
    """What a new Event of events.k8s.io lacks. Names of fields are a real server's, which mixes the versions."""
    faults = []
    if obj.get("eventTime") is None:
        faults.append(Fault.required("eventTime"))
    else:
        faults += _faults_of_texts(obj)
    if obj.get("type") not in ("Normal", "Warning"):
        faults.append(Fault.invalid("type", obj.get("type") or "", "has invalid value"))
    series = obj.get("series")
    if isinstance(series, dict):
        if not isinstance(series.get("count"), int) or series["count"] < _COUNT_MIN:
            faults.append(Fault.invalid("series.count", series.get("count"), f"should be at least {_COUNT_MIN}"))
        if not series.get("lastObservedTime"):
            faults.append(Fault.required("series.lastObservedTime"))
    return faults + [Fault.invalid(field, "", "needs to be unset") for field in _UNSET if obj.get(_NAMES[field])]


def _faults_of_texts(obj: Json) -> list[Fault]:
    faults = [Fault.required(field) for field in _NEEDED if not obj.get(field)]
    controller = obj.get("reportingController") or ""
    if not _QUALIFIED.match(controller):
        faults.append(Fault.invalid("reportingController", controller, "name is not qualified"))
    long = [field for field in _NEEDED[1:] if len(obj.get(field) or "") > _LENGTH_MAX]
    faults += [Fault.invalid(field, "", f"can have at most {_LENGTH_MAX} characters") for field in long]
    if len(obj.get("note") or "") > _NOTE_MAX:
        faults.append(Fault.invalid("message", "", f"can have at most {_NOTE_MAX} characters"))
    return faults
