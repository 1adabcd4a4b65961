"""What Kubeflow Trainer v2 makes of a TrainJob: Pods of its runtime's steps, and three conditions at most. Pure.

That it runs is said by `jobsStatus` alone; a condition comes when it is suspended, complete or failed. A deadline
counts from the creation, or from the last time the job was resumed. One failed Pod ends the job, as a JobSet does that
may not restart. Not here: the JobSet and Jobs themselves, plugins other than torch's variables, and gang scheduling.
"""

from collections.abc import Sequence
from typing import Any

from windlass.envtest.workloads.jobkinds.groups import (
    Group,
    Members,
    deadline_left,
    is_true,
    names,
    pod_for,
    turned,
)
from windlass.envtest.workloads.jobkinds.plan import Plan, Situation
from windlass.envtest.workloads.objects import Json, at, condition, written_time
from windlass.envtest.workloads.trainer.runtimes import ANCESTOR, Runtime, runtime_of

__all__ = ("trainer_step",)

_CONTROLLER = "trainer.kubeflow.org/trainjob-controller"
_LABELS = ("jobset.sigs.k8s.io/replicatedjob-name", "batch.kubernetes.io/job-completion-index")
_KINDS = ("TrainingRuntime", "ClusterTrainingRuntime")
_NOT_SUPPORTED = "TrainingRuntimeNotSupported"


def trainer_step(situation: Situation) -> Plan:
    """The plan for one TrainJob."""
    job = situation.job
    if (at(job, "spec", "managedBy") or _CONTROLLER) != _CONTROLLER:
        return Plan()  # another cluster's
    if is_true(job, "Complete") or is_true(job, "Failed"):
        return Plan(delete=names(situation.pods, active_only=True), over=True)
    reference = job["spec"]["runtimeRef"]
    if situation.behaviour.refuses or (reference.get("kind") or _KINDS[1]) not in _KINDS:
        reason = situation.behaviour.refuses or _NOT_SUPPORTED
        return _failed(situation, (), reason, f"the runtime {reference['name']} cannot be used")
    runtime = runtime_of(job, situation.others)
    if runtime is None:
        return Plan()  # a failing reconcile; nothing in the status says so
    return _followed(situation, runtime)


def _followed(situation: Situation, runtime: Runtime) -> Plan:
    job = situation.job
    members = [Members.of(group, situation.pods) for group in _groups(job, runtime)]
    if at(job, "spec", "suspend"):
        told = _told("Suspended", "True", "Suspended", "TrainJob is suspended")
        status = _status(situation, members, [told], suspended=True)
        return Plan(status, delete=names(situation.pods))
    if any(one.in_phase("Failed") for one in members):
        return _failed(situation, members, "FailedJobs", "jobset failed due to one or more job failures")
    left = _deadline_left(situation)
    if left is not None and left <= 0:
        message = "TrainJob was active longer than specified deadline"
        return _failed(situation, members, "DeadlineExceeded", message)
    if all(one.succeeded for one in members):
        told = _told("Complete", "True", "AllJobsCompleted", "jobset completed successfully")
        return Plan(_status(situation, members, [told]), over=True)
    if is_true(job, "Suspended"):  # the deadline begins anew before a Pod is made
        return Plan(_status(situation, members, [_told("Suspended", "False", "Resumed", "TrainJob is resumed")]))
    return Plan(_status(situation, members, []), create=_wanted(situation, runtime, members), wake_seconds=left)


def _groups(job: Json, runtime: Runtime) -> list[Group]:
    return [
        Group(name=step.name, count=step.count, template=step.template, labels=_LABELS) for step in runtime.steps(job)
    ]


def _wanted(situation: Situation, runtime: Runtime, members: Sequence[Members]) -> tuple[Json, ...]:
    """The Pods to make: those of initializers first, those of the trainer when all of these have succeeded."""
    for number, one in enumerate(members):
        is_trainer = number == len(members) - 1
        missing = one.missing()
        if missing:
            return tuple(_pod(situation, runtime, one.group, index) for index in missing)
        if not is_trainer and not one.succeeded:
            return ()
    return ()


def _pod(situation: Situation, runtime: Runtime, group: Group, index: int) -> Json:
    job, behaviour = situation.job, situation.behaviour
    name = job["metadata"]["name"]
    step = runtime.ancestor(group.name)
    env = _environment(job, runtime, group, index) if step == "trainer" else {}
    labels = {
        ANCESTOR: step,
        "jobset.sigs.k8s.io/jobset-name": name,
        "jobset.sigs.k8s.io/job-index": "0",
        "jobset.sigs.k8s.io/restart-attempt": "0",
        "batch.kubernetes.io/job-name": f"{name}-{group.name}-0",
    }
    annotations = {
        "batch.kubernetes.io/job-completion-index": str(index),
        "jobset.sigs.k8s.io/jobset-name": name,
    }
    pod = pod_for(
        job,
        group,
        index,
        name=f"{name}-{group.name}-0-{index}",
        env=env,
        labels=labels,
        annotations=annotations | (behaviour.annotations if step == "trainer" else {}),
    )
    pod["spec"].setdefault("hostname", f"{name}-{group.name}-0-{index}")
    pod["spec"].setdefault("subdomain", name)
    return pod


def _environment(job: Json, runtime: Runtime, group: Group, index: int) -> dict[str, str]:
    name = job["metadata"]["name"]
    processes = at(job, "spec", "trainer", "numProcPerNode") or runtime.processes
    return {
        "PET_NNODES": str(group.count),
        "PET_NPROC_PER_NODE": str(processes),
        "PET_NODE_RANK": str(index),
        "PET_MASTER_ADDR": f"{name}-{group.name}-0-0.{name}",
        "PET_MASTER_PORT": "29500",
    }


def _deadline_left(situation: Situation) -> float | None:
    job = situation.job
    if is_true(job, "Suspended"):
        return None  # it has just been resumed: the time begins with the condition
    resumed = condition(job, "Suspended")
    started = job["metadata"]["creationTimestamp"] if resumed is None else resumed["lastTransitionTime"]
    return deadline_left(started, at(job, "spec", "activeDeadlineSeconds"), situation.now)


def _failed(situation: Situation, members: Sequence[Members], reason: str, message: str) -> Plan:
    status = _status(situation, members, [_told("Failed", "True", reason, message)])
    for one in status.get("jobsStatus", ()):
        one["active"] = 0  # its Pods go in the same breath
    return Plan(status, delete=names(situation.pods, active_only=True), over=True)


def _told(kind: str, status: str, reason: str, message: str) -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _status(situation: Situation, members: Sequence[Members], told: Sequence[Json], *, suspended: bool = False) -> Json:
    conditions = list(at(situation.job, "status", "conditions") or ())
    for one in told:
        conditions = turned({"status": {"conditions": conditions}}, situation.now, one)
    status: dict[str, Any] = {"conditions": conditions, "jobsStatus": [_job(one, suspended) for one in members]}
    progress = situation.behaviour.progress
    if progress and any(one.in_phase("Running", "Succeeded") for one in members):
        before = at(situation.job, "status", "trainerStatus") or {}
        same = all(before.get(name) == value for name, value in progress.items())
        at_ = before.get("lastUpdatedTime") if same else None
        status["trainerStatus"] = dict(progress) | {"lastUpdatedTime": at_ or written_time(situation.now)}
    return {name: value for name, value in status.items() if value}


def _job(members: Members, suspended: bool) -> Json:
    """What is known of the one Job of a step: 1 or 0, for these count Jobs, not Pods."""
    running, failed = members.in_phase("Pending", "Running"), members.in_phase("Failed")
    ended = members.in_phase("Succeeded")
    return {
        "name": members.group.name,
        "ready": int(members.ready + len(ended) >= members.group.count),
        "succeeded": int(members.succeeded),
        "failed": int(bool(failed)),
        "active": int(bool(running) and not failed and not suspended),
        "suspended": int(suspended),
    }
