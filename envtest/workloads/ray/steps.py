"""What KubeRay makes of a RayJob: a Ray cluster of Pods, then a submitter, and two words of status. Pure.

`jobDeploymentStatus` is the operator's word (Initializing, Running, Complete, Failed, Retrying, Suspending, Suspended),
`jobStatus` Ray's own (PENDING, RUNNING, SUCCEEDED, FAILED, STOPPED). A driver that failed is tried again `backoffLimit`
times, each time with a new cluster of another name and from scratch. A suspended job loses its cluster.
"""

from collections.abc import Sequence
from typing import Any

from windlass.envtest.workloads.jobkinds.groups import (
    Group,
    Members,
    deadline_left,
    exit_code,
    names,
    not_going,
    pod_for,
)
from windlass.envtest.workloads.jobkinds.plan import Plan, Situation
from windlass.envtest.workloads.objects import Json, at, template_hash, written_time

__all__ = ("ray_step",)

_CONTROLLER = "ray.io/kuberay-operator"
_LABELS = ("ray.io/group", "ray.io/replica-index")
_SUBMITTER = "submitter"
_HEAD = "headgroup"
_OVER = ("Complete", "Failed")


def ray_step(situation: Situation) -> Plan:
    """The plan for one RayJob."""
    job = situation.job
    if (at(job, "spec", "managedBy") or _CONTROLLER) != _CONTROLLER:
        return Plan()  # another cluster's
    state = at(job, "status", "jobDeploymentStatus") or ""
    if state in _OVER:
        return _after_the_end(situation)
    if situation.behaviour.refuses:
        message = "the RayJob spec is invalid: as scripted"
        return Plan(_ended(situation, "Failed", reason=situation.behaviour.refuses, message=message), over=True)
    if at(job, "spec", "suspend"):
        return _suspended(situation, state)
    if state in ("", "Suspended", "Retrying"):
        return Plan(_begun(situation)) if not not_going(situation.pods) else Plan(delete=names(situation.pods))
    return _working(situation)


def _working(situation: Situation) -> Plan:
    job = situation.job
    left = deadline_left(at(job, "status", "startTime"), at(job, "spec", "activeDeadlineSeconds"), situation.now)
    if left is not None and left <= 0:
        message = "The RayJob has passed the activeDeadlineSeconds"
        return Plan(_ended(situation, "Failed", reason="DeadlineExceeded", message=message), over=True)
    cluster = [Members.of(group, situation.pods) for group in _groups(job)]
    driver = Members.of(_driver(job), situation.pods)
    if failed := driver.in_phase("Failed"):
        return _driver_failed(situation, exit_code(failed[0]))
    if driver.in_phase("Succeeded"):
        return Plan(_ended(situation, "Complete", job="SUCCEEDED"), over=True)
    if driver.in_phase("Running") and situation.behaviour.stopped:
        return Plan(_ended(situation, "Complete", job="STOPPED", message="Job was intentionally stopped."), over=True)
    return _running(situation, cluster, driver, left=left)


def _running(situation: Situation, cluster: Sequence[Members], driver: Members, *, left: float | None) -> Plan:
    missing = tuple(_pod(situation, one.group, number) for one in cluster for number in one.missing())
    ready = not missing and all(one.ready == one.group.count for one in cluster)
    if driver.pods or ready:
        status = _status(situation, "Running", job="RUNNING" if driver.in_phase("Running") else "PENDING")
        submitter = tuple(_pod(situation, driver.group, number) for number in driver.missing())
        return Plan(status, create=(*missing, *submitter), wake_seconds=left)
    return Plan(_status(situation, "Initializing"), create=missing, wake_seconds=left)


def _driver_failed(situation: Situation, code: int | None) -> Plan:
    job = situation.job
    failed, limit = int(at(job, "status", "failed") or 0), int(at(job, "spec", "backoffLimit") or 0)
    if failed < limit:
        status = _status(situation, "Retrying", job="FAILED") | {"failed": failed + 1}
        return Plan(status, delete=names(situation.pods))
    ended = "Job supervisor actor died." if code is None else f"Job entrypoint command failed with exit code {code}"
    message = f"{ended}, last available logs: none" if code is not None else ended
    return Plan(_ended(situation, "Failed", job="FAILED", reason="AppFailed", message=message), over=True)


def _suspended(situation: Situation, state: str) -> Plan:
    if state != "Suspended" and not_going(situation.pods):
        return Plan(_status(situation, "Suspending"), delete=names(situation.pods))
    kept = {name: at(situation.job, "status", name) for name in ("failed", "succeeded")}
    status = {"jobDeploymentStatus": "Suspended", **{name: value for name, value in kept.items() if value is not None}}
    return Plan(status)


def _begun(situation: Situation) -> Json:
    job = situation.job
    name, failed = job["metadata"]["name"], int(at(job, "status", "failed") or 0)
    mark = template_hash({"uid": job["metadata"]["uid"], "failed": failed})[:5]
    return {
        "jobDeploymentStatus": "Initializing",
        "jobId": f"{name}-{mark}",
        "rayClusterName": f"{name}-{mark}",
        "startTime": at(job, "status", "startTime") or written_time(situation.now),
        "failed": failed,
        "succeeded": 0,
        "observedGeneration": job["metadata"]["generation"],
    }


def _status(situation: Situation, state: str, *, job: str = "") -> Json:
    status: dict[str, Any] = dict(at(situation.job, "status") or {}) | {"jobDeploymentStatus": state}
    if job:
        status["jobStatus"] = job
    if state == "Running":
        namespace = situation.job["metadata"]["namespace"]
        status["dashboardURL"] = f"{status['rayClusterName']}-head-svc.{namespace}.svc:8265"
    return status


def _ended(situation: Situation, state: str, *, job: str = "", reason: str = "", message: str = "") -> Json:
    before = at(situation.job, "status") or {}
    status = _status(situation, state, job=job) | {"endTime": written_time(situation.now)}
    status["failed"] = int(before.get("failed") or 0) + (job == "FAILED")
    status["succeeded"] = int(job == "SUCCEEDED")
    told = {"reason": reason, "message": message}
    return status | {name: value for name, value in told.items() if value}


def _after_the_end(situation: Situation) -> Plan:
    """The cluster goes if it is to be shut down, `ttlSecondsAfterFinished` later; the RayJob stays."""
    job = situation.job
    if not at(job, "spec", "shutdownAfterJobFinishes"):
        return Plan(over=True)
    seconds = at(job, "spec", "ttlSecondsAfterFinished") or 0
    left = deadline_left(at(job, "status", "endTime"), seconds, situation.now)
    if left is not None and left > 0:
        return Plan(over=True, wake_seconds=left)
    cluster = [pod for pod in situation.pods if at(pod, "metadata", "labels", _LABELS[0]) != _SUBMITTER]
    return Plan(over=True, delete=names(cluster))


def _groups(job: Json) -> list[Group]:
    spec = job["spec"]["rayClusterSpec"]
    head = Group(name=_HEAD, count=1, template=_running_on(spec["headGroupSpec"]["template"]), labels=_LABELS)
    workers = [
        Group(
            name=one["groupName"],
            count=int(1 if one.get("replicas") is None else one["replicas"]),
            template=_running_on(one["template"]),
            labels=_LABELS,
        )
        for one in spec.get("workerGroupSpecs") or ()
    ]
    return [head, *workers]


def _running_on(template: Json) -> Json:
    """Ray's own processes do not end by themselves."""
    return template | {"spec": (template.get("spec") or {}) | {"restartPolicy": "Always"}}


def _driver(job: Json) -> Group:
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]
    given = at(job, "spec", "submitterPodTemplate") or {
        "metadata": head.get("metadata") or {},
        "spec": {"restartPolicy": "Never", "containers": [dict(head["spec"]["containers"][0]) | {"resources": {}}]},
    }
    containers = [dict(one) for one in given["spec"]["containers"]]
    if not containers[0].get("command"):
        containers[0]["command"] = ["/bin/sh", "-c", job["spec"].get("entrypoint", "")]
    template = given | {"spec": given["spec"] | {"containers": containers, "restartPolicy": "Never"}}
    return Group(name=_SUBMITTER, count=1, template=template, labels=_LABELS)


def _pod(situation: Situation, group: Group, number: int) -> Json:
    job, cluster = situation.job, situation.job["status"]["rayClusterName"]
    if group.name == _SUBMITTER:
        return pod_for(
            job,
            group,
            number,
            name=f"{cluster}-submitter",
            env={"RAY_ADDRESS": f"http://{cluster}-head-svc:8265", "RAY_JOB_SUBMISSION_ID": job["status"]["jobId"]},
            labels={"ray.io/originated-from-cr-name": job["metadata"]["name"], "ray.io/originated-from-crd": "RayJob"},
            annotations=situation.behaviour.annotations,
        )
    labels = {"ray.io/cluster": cluster, "ray.io/node-type": "head" if group.name == _HEAD else "worker"}
    suffix = "head" if group.name == _HEAD else f"{group.name}-worker-{number}"
    return pod_for(job, group, number, name=f"{cluster}-{suffix}", env={"RAY_CLUSTER_NAME": cluster}, labels=labels)
