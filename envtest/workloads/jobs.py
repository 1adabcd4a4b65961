"""What a Job's Pods make of the Job, and which Pods it wants next: one pure function of what is there and the time.

The rules are those of Kubernetes' own Job controller (`pkg/controller/job`), as observable in a Job's status: counts,
conditions with their reasons, and which Pods exist. Not here: pod failure and success policies, `maxFailedIndexes`,
`backoffLimitPerIndex`, `podReplacementPolicy`, `managedBy`, and the finalizer that newer versions put on a Job's Pods.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from windlass.envtest.workloads.objects import Json, active, at, condition, is_ready, parse_time, pod_from, written_time

__all__ = ("INDEX", "JobPlan", "completed_indexes", "pod_of", "step")

INDEX = "batch.kubernetes.io/job-completion-index"
_RETRY_SECONDS_MAX = 360.0


@attrs.frozen
class JobPlan:
    """What is to be done for a Job at one moment."""

    create: tuple[int | None, ...] = ()
    """A Pod for each entry: its completion index, or None where the Job does not count them."""
    delete: tuple[str, ...] = ()
    """Names of Pods."""
    status: Json = attrs.field(factory=dict)
    """The fields of the status that the controller owns; None removes one."""
    delete_job: bool = False
    wake_seconds: float | None = None
    """When to look again although nothing changes."""


@attrs.frozen
class _Counts:
    active: tuple[Json, ...]
    succeeded: tuple[Json, ...]
    failed: tuple[Json, ...]


def step(job: Json, pods: Sequence[Json], now: datetime, *, retry_seconds: float = 10.0) -> JobPlan:
    """The plan for a Job with these Pods, which it controls.

    After a failure the next Pod is made `retry_seconds` later, after two twice that, and so on up to six minutes.
    """
    if at(job, "metadata", "deletionTimestamp"):
        return JobPlan()
    if _is_over(job):
        return _after_the_end(job, now)
    counts = _Counts(
        tuple(pod for pod in pods if active(pod)),
        tuple(pod for pod in pods if at(pod, "status", "phase") == "Succeeded"),
        tuple(pod for pod in pods if at(pod, "status", "phase") == "Failed"),
    )
    started = parse_time(at(job, "status", "startTime"))
    if at(job, "spec", "suspend"):
        return _suspended(job, counts, now)
    if started is None or _is_suspended(job):  # the time of a resumed Job begins anew
        started = now.replace(microsecond=0)
    failure = _failure(job, counts, now - started)
    if failure is not None:
        return _failed(job, counts, failure, started=started, now=now)
    if _is_complete(job, counts):
        return _completed(job, counts, started=started, now=now)
    return _running(job, counts, started, now=now, retry_seconds=retry_seconds)


def pod_of(job: Json, index: int | None) -> Json:
    """The Pod that a Job creates, for a completion index or for none; the server gives it the rest of its name."""
    name = job["metadata"]["name"]
    labels = {"controller-uid": job["metadata"]["uid"], "job-name": name}
    labels |= {f"batch.kubernetes.io/{label}": value for label, value in labels.items()}
    namespace, template = job["metadata"]["namespace"], job["spec"]["template"]
    if index is None:
        return pod_from(template, namespace, generateName=f"{name}-", labels=labels)
    mark = {INDEX: str(index)}
    pod = pod_from(template, namespace, generateName=f"{name}-{index}-", labels=labels | mark, annotations=mark)
    variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    spec = dict(pod["spec"])
    spec.setdefault("hostname", f"{name}-{index}")
    spec["containers"] = [one | {"env": [*(one.get("env") or ()), variable]} for one in spec.get("containers") or ()]
    return pod | {"spec": spec}


def completed_indexes(indexes: Sequence[int]) -> str:
    """Indexes as the status has them: `0,2-4,7`."""
    runs: list[tuple[int, int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _is_over(job: Json) -> bool:
    return any((condition(job, kind) or {}).get("status") == "True" for kind in ("Complete", "Failed"))


def _is_suspended(job: Json) -> bool:
    return (condition(job, "Suspended") or {}).get("status") == "True"


def _is_indexed(job: Json) -> bool:
    return bool(at(job, "spec", "completionMode") == "Indexed")


def _number(job: Json, field: str, default: int) -> int:
    found = at(job, "spec", field)
    return default if found is None else int(found)


def _index(pod: Json) -> int | None:
    found = at(pod, "metadata", "annotations", INDEX)
    return int(found) if isinstance(found, str) and found.isdecimal() else None


def _done(job: Json, counts: _Counts) -> int:
    """How many of the wanted completions there are; each index counts once."""
    if not _is_indexed(job):
        return len(counts.succeeded)
    wanted = _number(job, "completions", 1)
    return len({index for pod in counts.succeeded if (index := _index(pod)) is not None and index < wanted})


def _is_complete(job: Json, counts: _Counts) -> bool:
    if at(job, "spec", "completions") is None:  # a work queue: one success, and the others come to an end by themselves
        return bool(counts.succeeded) and not counts.active
    return _done(job, counts) >= _number(job, "completions", 1)


def _failure(job: Json, counts: _Counts, age: timedelta) -> tuple[str, str] | None:
    """The reason and the message if the Job has failed."""
    limit = _number(job, "backoffLimit", 6)
    restarts = 0
    if at(job, "spec", "template", "spec", "restartPolicy") == "OnFailure":
        restarts = sum(
            one.get("restartCount", 0) for pod in counts.active for one in at(pod, "status", "containerStatuses") or ()
        )
    if len(counts.failed) > limit or (restarts >= limit if limit else restarts > 0):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    deadline = at(job, "spec", "activeDeadlineSeconds")
    if deadline is not None and age.total_seconds() >= deadline:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _status(job: Json, counts: _Counts, *, started: datetime | None, lost: int = 0) -> Json:
    """The counts. `lost` of the active Pods are taken away now, and count as failed."""
    left = len(counts.active) - lost
    status: Json = {
        "active": left or None,
        "ready": sum(is_ready(pod) for pod in counts.active) if left else 0,
        "succeeded": _done(job, counts) if _is_indexed(job) else len(counts.succeeded),
        "failed": len(counts.failed) + lost,
        "startTime": None if started is None else written_time(started),
    }
    status = {name: value or None if name in ("succeeded", "failed") else value for name, value in status.items()}
    if _is_indexed(job):
        status["completedIndexes"] = completed_indexes(
            [i for pod in counts.succeeded if (i := _index(pod)) is not None]
        )
    return status


def _conditions(job: Json, now: datetime, *, kind: str, status: str, reason: str = "", message: str = "") -> list[Json]:
    others = [one for one in at(job, "status", "conditions") or () if one["type"] != kind]
    written = written_time(now)
    one = {"type": kind, "status": status, "lastProbeTime": written, "lastTransitionTime": written}
    return [*others, one | {name: text for name, text in (("reason", reason), ("message", message)) if text}]


def _names(pods: Sequence[Json]) -> tuple[str, ...]:
    return tuple(pod["metadata"]["name"] for pod in pods)


def _failed(job: Json, counts: _Counts, why: tuple[str, str], *, started: datetime, now: datetime) -> JobPlan:
    status = _status(job, counts, started=started, lost=len(counts.active))
    status["conditions"] = _conditions(job, now, kind="Failed", status="True", reason=why[0], message=why[1])
    return JobPlan(delete=_names(counts.active), status=status)


def _completed(job: Json, counts: _Counts, *, started: datetime, now: datetime) -> JobPlan:
    status = _status(job, counts, started=started, lost=0) | {"active": None, "ready": 0}
    status["completionTime"] = written_time(now)
    status["conditions"] = _conditions(job, now, kind="Complete", status="True")
    return JobPlan(delete=_names(counts.active), status=status)


def _suspended(job: Json, counts: _Counts, now: datetime) -> JobPlan:
    status = _status(job, counts, started=None) | {"active": None, "ready": 0}
    if not _is_suspended(job):
        status["conditions"] = _conditions(
            job, now, kind="Suspended", status="True", reason="JobSuspended", message="Job suspended"
        )
    return JobPlan(delete=_names(counts.active), status=status)


def _running(job: Json, counts: _Counts, started: datetime, *, now: datetime, retry_seconds: float) -> JobPlan:
    status = _status(job, counts, started=started)
    if _is_suspended(job):
        status["conditions"] = _conditions(
            job, now, kind="Suspended", status="False", reason="JobResumed", message="Job resumed"
        )
    parallelism = _number(job, "parallelism", 1)
    excess = len(counts.active) - parallelism
    if excess > 0:
        # The least advanced go first: those without a node, then those that are not ready.
        order = sorted(counts.active, key=lambda pod: (bool(at(pod, "spec", "nodeName")), is_ready(pod)))
        return JobPlan(delete=_names(order[:excess]), status=status)
    waiting = _retry_in(counts, now, retry_seconds)
    deadline = at(job, "spec", "activeDeadlineSeconds")
    left = None if deadline is None else deadline - (now - started).total_seconds()
    wakes = [seconds for seconds in (waiting, left) if seconds is not None]
    create = () if waiting else tuple(_wanted(job, counts, parallelism))
    return JobPlan(create=create, status=status, wake_seconds=min(wakes, default=None))


def _wanted(job: Json, counts: _Counts, parallelism: int) -> list[int | None]:
    free = parallelism - len(counts.active)
    completions = at(job, "spec", "completions")
    if _is_indexed(job):
        taken = {_index(pod) for pod in (*counts.active, *counts.succeeded)}
        free_indexes: list[int | None] = [i for i in range(_number(job, "completions", 1)) if i not in taken]
        return free_indexes[:free]
    if completions is None:
        return [] if counts.succeeded else [None] * free
    return [None] * min(free, int(completions) - len(counts.succeeded) - len(counts.active))


def _retry_in(counts: _Counts, now: datetime, retry_seconds: float) -> float | None:
    """Seconds until the next Pod may be made after the last failure; None if it may."""
    ends = [end for pod in counts.failed if (end := _ended(pod)) is not None]
    if not ends or not retry_seconds:
        return None
    pause = min(retry_seconds * 2 ** min(len(counts.failed) - 1, 20), _RETRY_SECONDS_MAX)
    left = (max(ends) + timedelta(seconds=pause) - now).total_seconds()
    return left if left > 0 else None


def _ended(pod: Json) -> datetime | None:
    ends = [at(one, "state", "terminated", "finishedAt") for one in at(pod, "status", "containerStatuses") or ()]
    moments = [moment for text in ends if (moment := parse_time(text)) is not None]
    return max(moments, default=None)


def _after_the_end(job: Json, now: datetime) -> JobPlan:
    """A Job that is over is left alone until its time to live has passed."""
    lifetime = at(job, "spec", "ttlSecondsAfterFinished")
    if lifetime is None:
        return JobPlan()
    ended = next(
        one["lastTransitionTime"] for one in at(job, "status", "conditions") if one["type"] in ("Complete", "Failed")
    )
    moment = parse_time(ended)
    left = 0.0 if moment is None else (moment + timedelta(seconds=lifetime) - now).total_seconds()
    return JobPlan(delete_job=True) if left <= 0 else JobPlan(wake_seconds=left)
