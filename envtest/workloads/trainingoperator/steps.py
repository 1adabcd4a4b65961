"""What the Training Operator makes of a PyTorchJob: a master, workers, and conditions that say what is true now. Pure.

Of Running, Restarting, Succeeded and Failed one at most is true. A replica whose policy is ExitCode is made anew if it
ended with a code from 128 up, and the job is Restarting meanwhile; one that failed for good fails the job. The end of
the master is the end of the job, or that of all workers if there is no master. Not here: elastic policies, gang
scheduling, Services, and `backoffLimit` for replicas that are made anew.
"""

from collections.abc import Sequence
from typing import Any

from windlass.envtest.workloads.jobkinds.groups import (
    Group,
    Members,
    deadline_left,
    exit_code,
    is_true,
    names,
    pod_for,
    turned,
)
from windlass.envtest.workloads.jobkinds.plan import Plan, Situation
from windlass.envtest.workloads.objects import Json, at, condition, written_time

__all__ = ("pytorch_step",)

_CONTROLLER = "kubeflow.org/training-operator"
_PREFIX = "training.kubeflow.org"
_LABELS = (f"{_PREFIX}/replica-type", f"{_PREFIX}/replica-index")
_PORT = 23456
_RETRYABLE = 128


def pytorch_step(situation: Situation) -> Plan:
    """The plan for one PyTorchJob."""
    job = situation.job
    if (at(job, "spec", "runPolicy", "managedBy") or _CONTROLLER) != _CONTROLLER:
        return Plan()  # another cluster's
    if is_true(job, "Succeeded") or is_true(job, "Failed"):
        return _after_the_end(situation)
    told = [] if condition(job, "Created") else [_told(job, "Created", "True")]
    if situation.behaviour.refuses:
        return _failed(situation, (), [*told], f"{situation.behaviour.refuses}: as scripted")
    return _followed(situation, told)


def _followed(situation: Situation, told: list[Json]) -> Plan:
    job = situation.job
    members = [Members.of(group, situation.pods) for group in _groups(job)]
    if at(job, "spec", "runPolicy", "suspend"):
        told += [_told(job, "Running", "False", reason="Suspended"), _told(job, "Suspended", "True")]
        return Plan(_status(situation, members, told, started=False), delete=names(situation.pods))
    if is_true(job, "Suspended"):
        told.append(_told(job, "Suspended", "False", reason="Resumed"))
        return Plan(_status(situation, members, told))
    if members[0].succeeded:
        told += [_told(job, "Running", "False"), _told(job, "Succeeded", "True")]
        return Plan(_status(situation, members, told, ended=True), over=True)
    again, lost = _failures(members)
    left = _deadline_left(situation)
    why = _why(lost) if lost else _limit_passed(job, members, left)
    if why:
        return _failed(situation, members, told, why)
    if again:
        told += [_told(job, "Running", "False", reason="Restarting"), _told(job, "Restarting", "True")]
        return Plan(_status(situation, members, told), delete=names(again))
    if members[0].in_phase("Running"):
        told += [_told(job, "Restarting", "False", reason="Running")] if condition(job, "Restarting") else []
        told.append(_told(job, "Running", "True"))
    wanted = tuple(_pod(situation, members, one.group, number) for one in members for number in one.missing())
    return Plan(_status(situation, members, told), create=wanted, wake_seconds=left)


def _groups(job: Json) -> list[Group]:
    """Master first, as far as there is one."""
    specs = job["spec"]["pytorchReplicaSpecs"]
    return [
        Group(
            name=kind.lower(),
            count=int(1 if specs[kind].get("replicas") is None else specs[kind]["replicas"]),
            template=_template(specs[kind]),
            labels=_LABELS,
        )
        for kind in ("Master", "Worker")
        if kind in specs
    ]


def _template(replica: Json) -> Json:
    policy = replica.get("restartPolicy") or "OnFailure"
    own = "Never" if policy == "ExitCode" else policy
    template: Json = replica["template"]
    return template | {"spec": (template.get("spec") or {}) | {"restartPolicy": own}}


def _kind(members: Members) -> str:
    return members.group.name.capitalize()


def _pod(situation: Situation, members: Sequence[Members], group: Group, number: int) -> Json:
    job = situation.job
    name, offset = job["metadata"]["name"], 0 if group.name == members[0].group.name else members[0].group.count
    policy = at(job, "spec", "pytorchReplicaSpecs", group.name.capitalize(), "restartPolicy")
    marks = {"restart-policy": policy} if policy == "ExitCode" else {}
    labels = {
        f"{_PREFIX}/job-name": name,
        f"{_PREFIX}/operator-name": "pytorchjob-controller",
        **({f"{_PREFIX}/job-role": "master"} if group.name == members[0].group.name and number == 0 else {}),
    }
    env = {
        "PYTHONUNBUFFERED": "1",
        "MASTER_ADDR": f"{name}-{members[0].group.name}-0",
        "MASTER_PORT": str(_PORT),
        "WORLD_SIZE": str(sum(one.group.count for one in members)),
        "RANK": str(offset + number),
    }
    return pod_for(
        job,
        group,
        number,
        name=f"{name}-{group.name}-{number}",
        env=env,
        labels=labels,
        annotations=situation.behaviour.annotations | {f"{_PREFIX}/{key}": value for key, value in marks.items()},
    )


def _failures(members: Sequence[Members]) -> tuple[list[Json], list[Json]]:
    """The Pods that failed and are to be made anew, and those that failed for good."""
    again: list[Json] = []
    lost: list[Json] = []
    for pod in (pod for one in members for pod in one.in_phase("Failed")):
        by_code = at(pod, "metadata", "annotations", f"{_PREFIX}/restart-policy") == "ExitCode"
        code = exit_code(pod)
        (again if by_code and code is not None and code >= _RETRYABLE else lost).append(pod)
    return again, lost


def _limit_passed(job: Json, members: Sequence[Members], left: float | None) -> str:
    """Which limit the job has passed: its time, or how often containers were started again where they are."""
    if left is not None and left <= 0:
        return "has failed because it was active longer than specified deadline"
    limit = at(job, "spec", "runPolicy", "backoffLimit")
    statuses = [one for each in members for pod in each.pods for one in at(pod, "status", "containerStatuses") or ()]
    if limit is not None and sum(one.get("restartCount", 0) for one in statuses) > limit:
        return "has failed because it has reached the specified backoff limit"
    return ""


def _why(lost: Sequence[Json]) -> str:
    replica = at(lost[0], "metadata", "labels", _LABELS[0])
    return f"has failed because {len(lost)} {str(replica).capitalize()} replica(s) failed"


def _deadline_left(situation: Situation) -> float | None:
    seconds = at(situation.job, "spec", "runPolicy", "activeDeadlineSeconds")
    return deadline_left(at(situation.job, "status", "startTime"), seconds, situation.now)


def _failed(situation: Situation, members: Sequence[Members], told: Sequence[Json], why: str) -> Plan:
    job = situation.job
    message = f"PyTorchJob {job['metadata']['name']} {why}"
    ends = [_told(job, "Running", "False", reason="Failed"), _told(job, "Failed", "True", message=message)]
    if condition(job, "Restarting"):
        ends.insert(0, _told(job, "Restarting", "False", reason="Failed"))
    status = _status(situation, members, [*told, *ends], ended=True)
    return Plan(status, over=True)


def _after_the_end(situation: Situation) -> Plan:
    """Pods go as `cleanPodPolicy` says, and the job when its time to live is over."""
    policy = at(situation.job, "spec", "runPolicy", "cleanPodPolicy") or "None"
    gone = () if policy == "None" else names(situation.pods, active_only=policy == "Running")
    seconds = at(situation.job, "spec", "runPolicy", "ttlSecondsAfterFinished")
    left = deadline_left(at(situation.job, "status", "completionTime"), seconds, situation.now)
    return Plan(delete=gone, over=True, delete_job=left is not None and left <= 0, wake_seconds=left)


def _told(job: Json, kind: str, status: str, *, reason: str = "", message: str = "") -> Json:
    told = message or f"PyTorchJob {job['metadata']['name']} is {(reason or kind).lower()}."
    return {"type": kind, "status": status, "reason": f"PyTorchJob{reason or kind}", "message": told}


def _status(
    situation: Situation,
    members: Sequence[Members],
    told: Sequence[Json],
    *,
    started: bool = True,
    ended: bool = False,
) -> Json:
    conditions = list(at(situation.job, "status", "conditions") or ())
    for one in told:
        if one["status"] == "True" or condition({"status": {"conditions": conditions}}, one["type"]):
            conditions = turned({"status": {"conditions": conditions}}, situation.now, one, updated=True)
    now = written_time(situation.now)
    status: dict[str, Any] = {"conditions": conditions}
    if members:
        status["replicaStatuses"] = {_kind(one): _counts(situation.job, one) for one in members}
    if started:
        status["startTime"] = at(situation.job, "status", "startTime") or now
    if ended:
        status["completionTime"] = now
    return status


def _counts(job: Json, members: Members) -> Json:
    name = job["metadata"]["name"]
    return {
        "active": len(members.in_phase("Pending", "Running")),
        "succeeded": len(members.in_phase("Succeeded")),
        "failed": len(members.in_phase("Failed")),
        "selector": f"{_PREFIX}/job-name={name},{_LABELS[0]}={members.group.name}",
    }
