"""The executor `rayjob`: your own command as the driver of a RayJob of KubeRay, on a Ray cluster made for it. Pure.

The driver runs on the head; with several nodes the others are workers. Each attempt has a cluster of its own, which
goes with the job's end; KubeRay itself tries nothing again. A driver that somebody stopped is not started again:
whoever stopped it did not ask for that. `suspend` and `managedBy` are left to Kueue and to whoever suspends the
TrainingJob.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from windlass.informers.resources import Resource
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.contract import Run, TrainingExecutor
from windlass.operators.training.executors.exits import DEADLINE_EXCEEDED, DISRUPTIONS, STOPPED, Exit
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, ObjectExecutor, Reading, Waiting
from windlass.operators.training.executors.options import Option, option_faults, option_values, workload_faults
from windlass.operators.training.executors.pods import exit_of, outline_of, pod_template, waiting_for
from windlass.operators.training.executors.queueing import queue_labels, without_queue
from windlass.operators.training.executors.uptake import unheard
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.types import TrainingJobSpec, Workload

__all__ = ("RAYJOB", "RAY_JOB", "RayJobExecutor")

RAY_JOB: Final = Resource("ray.io", "v1", "RayJob", "rayjobs")

_OPTIONS: Final = (
    Option("rayVersion", pattern=r"[0-9]+(\.[0-9]+)*"),
    Option("submissionMode", "K8sJobMode", choices=("K8sJobMode", "HTTPMode", "SidecarMode")),
)
_EXIT_CODE: Final = re.compile(r"exit code (-?\d+)")  # how Ray tells of a driver that failed

Json = Mapping[str, Any]


class RayJobExecutor(ObjectExecutor):
    """See ObjectExecutor."""

    name = "rayjob"
    resource = RAY_JOB

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check."""
        faults = workload_faults(spec.workload, needed=("image", "command"))
        faults += option_faults(_OPTIONS, spec.executor_config)
        if faults:
            raise HyperparametersInvalid(tuple(faults))

    def outline(self, spec: TrainingJobSpec) -> Outline:
        """See Outline."""
        return outline_of(spec.workload or Workload())

    def body(self, spec: TrainingJobSpec, run: Run, environment: Mapping[str, str]) -> dict[str, Any]:
        """See ObjectExecutor.body."""
        workload, options = spec.workload or Workload(), option_values(_OPTIONS, spec.executor_config)
        told = {**environment, "WINDLASS_NODES": str(workload.nodes)}
        template = _without_command(pod_template(without_queue(workload), run, told))
        cluster: dict[str, Any] = {"headGroupSpec": {"rayStartParams": {}, "template": template}}
        if "rayVersion" in options:
            cluster["rayVersion"] = options["rayVersion"]
        if workload.nodes > 1:
            cluster["workerGroupSpecs"] = [_workers(workload.nodes - 1, template)]
        job = {
            "backoffLimit": 0,
            "entrypoint": shlex.join((*workload.command, *workload.args)),
            "rayClusterSpec": cluster,
            "shutdownAfterJobFinishes": True,
            "submissionMode": options["submissionMode"],
        }
        return {"metadata": {"labels": queue_labels(workload)}, "spec": job}

    def read(self, child: Json, pods: Sequence[Json]) -> Reading:
        """See ObjectExecutor.read."""
        status, spec = child.get("status") or {}, child.get("spec") or {}
        state, job = str(status.get("jobDeploymentStatus") or ""), str(status.get("jobStatus") or "")
        if state in ("Complete", "Failed"):
            return Finished() if (state, job) == ("Complete", "SUCCEEDED") else Ended(_exit(status, pods))
        if spec.get("suspend") or state in ("Suspending", "Suspended"):
            return Waiting("it is suspended")
        if not state:
            return unheard(child, pods, "KubeRay")
        if state == "Running" and job not in ("", "PENDING"):
            return AtWork()  # an end is not said before the operator says it
        if state == "Retrying":
            return Waiting("its controller tries it again with another cluster")
        return Waiting(waiting_for(pods))


def _without_command(template: Json) -> dict[str, Any]:
    """A Pod of Ray's own processes, which the operator starts; what the workload runs is the driver."""
    container, *others = template["spec"]["containers"]
    ray = {name: value for name, value in container.items() if name not in ("command", "args")}
    spec = {name: value for name, value in template["spec"].items() if name != "restartPolicy"}
    return {**template, "spec": {**spec, "containers": [ray, *others]}}


def _workers(count: int, template: Json) -> dict[str, Any]:
    return {
        "groupName": "workers",
        "replicas": count,
        "minReplicas": count,
        "maxReplicas": count,
        "rayStartParams": {},
        "template": template,
    }


def _exit(status: Json, pods: Sequence[Json]) -> Exit:
    """How a RayJob ended: by its own words, for the driver is no container; its Pods say only what was taken away."""
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if status.get("jobStatus") == "STOPPED":
        return Exit(None, STOPPED, message)
    if reason == DEADLINE_EXCEEDED:
        return Exit(None, DEADLINE_EXCEEDED, message)
    seen = exit_of(pods)
    if seen.reason in DISRUPTIONS:
        return seen
    code = _EXIT_CODE.search(message)
    if code is None:
        return Exit(None, "" if reason == "AppFailed" else reason, message)
    number = int(code.group(1))
    # A signal is a negative number here, and 128 more than its number elsewhere.
    return Exit(number if number >= 0 else 128 - number, "", message)


RAYJOB: Final[TrainingExecutor] = RayJobExecutor()
