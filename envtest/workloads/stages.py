"""A Pod goes from phase to phase as a script of stages says: the first stage that fits it is the next. Pure.

A stage has a selector (`when`), a delay, and what the kubelet would then write (`then`). A script is a list of stages,
in Python or in YAML (`read_stages`). What an annotation of the Pod says goes before the script: `exit-codes` (one for
each run of its container, the last for all that follow), `run-seconds`, `never-ready`, and `evicted`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import cattrs
import yaml

from windlass.envtest.errors import StageError
from windlass.envtest.workloads.objects import Json, at, is_ready
from windlass.informers.converter import CONVERTER, faults_of, json_names

__all__ = (
    "ANNOTATIONS",
    "DEFAULT_STAGES",
    "Stage",
    "Then",
    "When",
    "delay_of",
    "next_stage",
    "read_stages",
    "status_after",
)

ANNOTATIONS = "envtest.windlass.dev"
Phase = Literal["Pending", "Running", "Succeeded", "Failed"]


@attrs.frozen
class When:
    """Which Pods a stage is for: all that is said must be true of the Pod. What is None or empty says nothing."""

    phase: Phase | None = None
    ready: bool | None = None
    deleting: bool = False
    """True for Pods whose deletion has begun, and only for those; a stage without it is for none of them."""
    restart_policy: tuple[Literal["Always", "OnFailure", "Never"], ...] = ()
    labels: Mapping[str, str] = attrs.field(factory=dict)
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    annotated: str = ""
    """The name of an annotation that must be there, whatever its value."""


@attrs.frozen
class Then:
    """What happens to the Pod. Exactly one of `run`, `exit` and `delete`, or none and only a `status` of your own."""

    run: bool = False
    """The containers run; the Pod is ready unless `ready` says no."""
    ready: bool = True
    exit: int | None = None
    """The containers end with this code, or with that of the annotation; the restart policy decides what follows."""
    delete: bool = False
    """The Pod is gone, as when a kubelet has stopped its containers."""
    reason: str = ""
    """The reason of the container's state: by default Completed or Error."""
    status: Mapping[str, Any] = attrs.field(factory=dict)
    """A merge patch of the status, put over what the other fields make of it."""

    def __attrs_post_init__(self) -> None:
        if self.run + (self.exit is not None) + self.delete > 1:
            raise ValueError("then: expected at most one of run, exit and delete")


@attrs.frozen
class Stage:
    """One step of a script. `delay_seconds` counts from the moment when the Pod came to fit."""

    name: str
    when: When
    then: Then
    delay_seconds: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))


_EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}

DEFAULT_STAGES = (
    Stage("delete", When(deleting=True), Then(delete=True)),
    Stage("run", When(phase="Pending"), Then(run=True), 0.05),
    Stage("evict", When(phase="Running", annotated=f"{ANNOTATIONS}/evicted"), Then(status=_EVICTED), 0.05),
    Stage("finish", When(phase="Running", restart_policy=("OnFailure", "Never")), Then(exit=0), 0.05),
    Stage("crash", When(phase="Running", annotated=f"{ANNOTATIONS}/exit-codes"), Then(exit=0), 0.05),
)
"""Pods that run to completion succeed, others stay ready; with `exit-codes` they end as it says, or as `evicted`."""


def next_stage(pod: Json, stages: Sequence[Stage]) -> Stage | None:
    """The first stage that fits a Pod that has a node; None if nothing will happen to it."""
    if not at(pod, "spec", "nodeName"):
        return None
    return next((stage for stage in stages if _fits(pod, stage.when) and not _is_over(pod, stage.then)), None)


def delay_of(pod: Json, stage: Stage) -> float:
    """Seconds until the stage takes place; `run-seconds` of the Pod goes before the delay of an exit."""
    given = _annotation(pod, "run-seconds")
    if stage.then.exit is None or given is None:
        return stage.delay_seconds
    try:
        return max(0.0, float(given))
    except ValueError:
        return stage.delay_seconds


def status_after(pod: Json, stage: Stage, now: str) -> Json:
    """The merge patch of the Pod's status that the stage makes; `now` as objects write times."""
    then, status = stage.then, Json()
    if then.run:
        ready = then.ready and _annotation(pod, "never-ready") is None
        status = _running(pod, now, ready=ready, restarts=_restarts(pod))
    elif then.exit is not None:
        status = _exited(pod, now, code=_exit_code(pod, then.exit), reason=then.reason)
    return _merged(status, then.status)


def read_stages(path: Path) -> tuple[Stage, ...]:
    """The script in a YAML file: a list of stages. Raises StageError, which names the file and the field."""
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StageError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, list):
        raise StageError(f"{path}: expected a list of stages, found {type(found).__name__}")
    return tuple(_read_stage(item, f"{path}: stages[{number}]") for number, item in enumerate(found))


def _read_stage(item: Any, where: str) -> Stage:
    for name, cls in (("", Stage), ("when", When), ("then", Then)):
        part = at(item, name) if name and isinstance(item, dict) else item
        unknown = sorted(set(part) - set(json_names(cls).values())) if isinstance(part, dict) else []
        if unknown:
            known = ", ".join(json_names(cls).values())
            raise StageError(f"{where}{'.' if name else ''}{name}: expected only {known}; found {unknown[0]}")
    try:
        return CONVERTER.structure(item, Stage)
    except (cattrs.BaseValidationError, ValueError, TypeError) as error:
        faults = "; ".join(fault.replace("$", where, 1) for fault in faults_of(error, item, Stage))
        raise StageError(faults) from error


def _fits(pod: Json, when: When) -> bool:
    metadata = pod["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    return (
        bool(metadata.get("deletionTimestamp")) == when.deleting
        and when.phase in (None, at(pod, "status", "phase") or "Pending")
        and when.ready in (None, is_ready(pod))
        and (not when.restart_policy or (at(pod, "spec", "restartPolicy") or "Always") in when.restart_policy)
        and when.labels.items() <= labels.items()
        and when.annotations.items() <= annotations.items()
        and (not when.annotated or when.annotated in annotations)
    )


def _is_over(pod: Json, then: Then) -> bool:
    """Whether the stage would change nothing: a Pod that runs is not started, one that ended does not end."""
    phase = at(pod, "status", "phase") or "Pending"
    if then.run:
        return bool(phase != "Pending")
    if then.exit is not None:
        return bool(phase != "Running")
    return not then.delete and _merged(pod.get("status") or {}, then.status) == (pod.get("status") or {})


def _annotation(pod: Json, name: str) -> str | None:
    found: str | None = at(pod, "metadata", "annotations", f"{ANNOTATIONS}/{name}")
    return found


def _restarts(pod: Json) -> int:
    return max((one.get("restartCount", 0) for one in at(pod, "status", "containerStatuses") or ()), default=0)


def _exit_code(pod: Json, code: int) -> int:
    codes = [part.strip() for part in (_annotation(pod, "exit-codes") or "").split(",")]
    chosen = codes[min(_restarts(pod), len(codes) - 1)]
    return int(chosen) if chosen.isdecimal() else code


def _exited(pod: Json, now: str, *, code: int, reason: str) -> Json:
    policy = at(pod, "spec", "restartPolicy") or "Always"
    state = {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "startedAt": at(pod, "status", "startTime") or now,
        "finishedAt": now,
    }
    if policy == "Always" or (policy == "OnFailure" and code != 0):
        status = _running(pod, now, ready=is_ready(pod), restarts=_restarts(pod) + 1)
        for one in status["containerStatuses"]:
            one["lastState"] = {"terminated": state}
        return status
    phase = "Succeeded" if code == 0 else "Failed"
    details = "PodCompleted" if code == 0 else "ContainersNotReady"
    unready = {"status": "False", "reason": details, "lastTransitionTime": now}
    return {
        "phase": phase,
        "conditions": _conditions(pod, now, Ready=unready, ContainersReady=unready),
        "containerStatuses": [
            one | {"ready": False, "started": False, "restartCount": _restarts(pod), "state": {"terminated": state}}
            for one in _containers(pod)
        ],
    }


def _running(pod: Json, now: str, *, ready: bool, restarts: int) -> Json:
    fine = {"status": "True", "lastTransitionTime": now}
    readiness = fine if ready else {"status": "False", "reason": "ContainersNotReady", "lastTransitionTime": now}
    return {
        "phase": "Running",
        "startTime": at(pod, "status", "startTime") or now,
        "conditions": _conditions(pod, now, Initialized=fine, Ready=readiness, ContainersReady=readiness),
        "containerStatuses": [
            one | {"ready": ready, "started": True, "restartCount": restarts, "state": {"running": {"startedAt": now}}}
            for one in _containers(pod)
        ],
    }


def _containers(pod: Json) -> list[Json]:
    return [
        {"name": one["name"], "image": one.get("image", ""), "imageID": "", "lastState": {}}
        for one in at(pod, "spec", "containers") or ()
    ]


def _conditions(pod: Json, now: str, **changes: Json) -> list[Json]:
    """The Pod's conditions with some of them changed; a status that stays keeps its time."""
    known = {one["type"]: one for one in at(pod, "status", "conditions") or ()}
    known.setdefault("PodScheduled", {"type": "PodScheduled", "status": "True", "lastTransitionTime": now})
    for kind, change in changes.items():
        before = known.get(kind, {})
        kept = {"lastTransitionTime": before["lastTransitionTime"]} if before.get("status") == change["status"] else {}
        known[kind] = {"type": kind} | change | kept
    return list(known.values())


def _merged(value: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """A merge patch over a value, as RFC 7396 says, but what is null stays so: it is a patch still."""
    merged = dict(value)
    for field, change in patch.items():
        inner = merged.get(field)
        merged[field] = _merged(inner, change) if isinstance(inner, dict) and isinstance(change, Mapping) else change
    return merged
