"""What Kueue must know of a job of any kind: how it is suspended, which Pods it will have, whether it has any. Pure."""

from collections.abc import Sequence
from typing import Any

from windlass.envtest.workloads.jobkinds.groups import is_true
from windlass.envtest.workloads.objects import Json, at

__all__ = ("FRAMEWORKS", "ended", "is_active", "is_suspended", "pod_sets", "suspension")

FRAMEWORKS = ("Job", "TrainJob", "PyTorchJob", "RayJob")
"""The kinds that are known."""

_AT_WORK = ("Initializing", "Running", "Retrying", "Suspending")


def suspension(kind: str, *, suspended: bool) -> Json:
    """The merge patch that suspends a job of this kind, or lets it go on."""
    inner: Json = {"suspend": suspended}
    return {"spec": {"runPolicy": inner} if kind == "PyTorchJob" else inner}


def is_suspended(job: Json) -> bool:
    """Whether its spec says so."""
    path = ("spec", "runPolicy", "suspend") if job["kind"] == "PyTorchJob" else ("spec", "suspend")
    return bool(at(job, *path))


def is_active(job: Json) -> bool:
    """Whether its status tells of Pods at work."""
    match job["kind"]:
        case "TrainJob":
            return any(one.get("active") for one in at(job, "status", "jobsStatus") or ())
        case "PyTorchJob":
            return any(one.get("active") for one in (at(job, "status", "replicaStatuses") or {}).values())
        case "RayJob":
            return at(job, "status", "jobDeploymentStatus") in _AT_WORK
    return bool(at(job, "status", "active"))


def ended(job: Json) -> str:
    """`Succeeded` or `Failed`; empty for a job that is not over."""
    if job["kind"] == "RayJob":
        state = at(job, "status", "jobDeploymentStatus")
        if state not in ("Complete", "Failed"):
            return ""
        return "Succeeded" if at(job, "status", "jobStatus") == "SUCCEEDED" else "Failed"
    if is_true(job, "Failed"):
        return "Failed"
    return "Succeeded" if is_true(job, "Complete") or is_true(job, "Succeeded") else ""


def pod_sets(job: Json) -> list[Json]:
    """The groups of equal Pods of a Workload's spec: name, count and template."""
    spec: dict[str, Any] = job["spec"]
    match job["kind"]:
        case "TrainJob":
            trainer = spec.get("trainer") or {}
            container = {"name": "node", "resources": trainer.get("resourcesPerNode") or {}}
            return [_pod_set("node", trainer.get("numNodes"), {"spec": {"containers": [container]}})]
        case "PyTorchJob":
            replicas = spec["pytorchReplicaSpecs"]
            return [_pod_set(name.lower(), one.get("replicas"), one["template"]) for name, one in replicas.items()]
        case "RayJob":
            return _of_ray(spec["rayClusterSpec"])
    return [_pod_set("main", spec.get("parallelism"), spec["template"])]


def _of_ray(cluster: Json) -> list[Json]:
    head = _pod_set("head", 1, cluster["headGroupSpec"]["template"])
    workers: Sequence[Json] = cluster.get("workerGroupSpecs") or ()
    submitter = _pod_set("submitter", 1, {"spec": {"containers": [{"name": "ray-job-submitter"}]}})
    groups = [_pod_set(one["groupName"], one.get("replicas"), one["template"]) for one in workers]
    return [head, *groups, submitter]


def _pod_set(name: str, count: int | None, template: Json) -> Json:
    return {"name": name, "count": 1 if count is None else int(count), "template": template}
