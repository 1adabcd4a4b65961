"""The executor `pytorchjob`: your own image as a PyTorchJob of the Training Operator v1, a master and workers. Pure.

A replica here has one try, and those that are left go when the job has ended: what follows is decided by the
TrainingJob, which makes the next attempt under another name. `suspend` and `managedBy` are left to Kueue and to whoever
suspends the TrainingJob.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from windlass.informers.resources import Resource
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.contract import Run, TrainingExecutor
from windlass.operators.training.executors.exits import DEADLINE_EXCEEDED, Exit
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, ObjectExecutor, Reading, Waiting
from windlass.operators.training.executors.options import Option, option_faults, option_values, workload_faults
from windlass.operators.training.executors.pods import exit_of, outline_of, pod_template, waiting_for
from windlass.operators.training.executors.queueing import queue_labels, without_queue
from windlass.operators.training.executors.uptake import unheard
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.types import TrainingJobSpec, Workload

__all__ = ("PYTORCHJOB", "PYTORCH_JOB", "PyTorchJobExecutor")

PYTORCH_JOB: Final = Resource("kubeflow.org", "v1", "PyTorchJob", "pytorchjobs")

_CONTAINER: Final = "pytorch"  # by which the operator finds the container that trains
_OPTIONS: Final = (Option("nprocPerNode", pattern="auto|cpu|gpu|[1-9][0-9]*"),)
_RESERVED: Final = ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE")

Json = Mapping[str, Any]


class PyTorchJobExecutor(ObjectExecutor):
    """See ObjectExecutor."""

    name = "pytorchjob"
    resource = PYTORCH_JOB

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check."""
        faults = workload_faults(spec.workload, needed=("image",), reserved=_RESERVED)
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
        template = _named(pod_template(without_queue(workload), run, told))
        replicas = {"Master": _replica(1, template)}
        if workload.nodes > 1:
            replicas["Worker"] = _replica(workload.nodes - 1, template)
        job = {
            "pytorchReplicaSpecs": replicas,
            # Those that failed stay, for their exit codes are read from them.
            "runPolicy": {"backoffLimit": 0, "cleanPodPolicy": "Running"},
        }
        return {"metadata": {"labels": queue_labels(workload)}, "spec": job | options}

    def read(self, child: Json, pods: Sequence[Json]) -> Reading:
        """See ObjectExecutor.read."""
        conditions = {one["type"]: one for one in (child.get("status") or {}).get("conditions") or ()}
        true = {kind: one for kind, one in conditions.items() if one.get("status") == "True"}
        if "Failed" in true or "Succeeded" in true:
            return Ended(_exit(true["Failed"], pods)) if "Failed" in true else Finished()
        policy = (child.get("spec") or {}).get("runPolicy") or {}
        if "Suspended" in true or policy.get("suspend"):
            return Waiting("it is suspended")
        if "Restarting" in true:
            return Waiting(f"it is restarting: {true['Restarting'].get('message', '')}".rstrip(": "))
        if "Running" in true:
            return AtWork()
        if not conditions:
            return unheard(child, pods, "the Training Operator")
        return Waiting(waiting_for(pods))

    def suspension(self, *, suspended: bool) -> dict[str, Any]:
        """See ObjectExecutor.suspension."""
        return {"spec": {"runPolicy": {"suspend": suspended}}}


def _named(template: Json) -> dict[str, Any]:
    """The template with its container named as the operator wants it, and without what the replica says."""
    spec = {name: value for name, value in template["spec"].items() if name != "restartPolicy"}
    container, *others = spec["containers"]
    return {**template, "spec": {**spec, "containers": [{**container, "name": _CONTAINER}, *others]}}


def _replica(count: int, template: Json) -> dict[str, Any]:
    return {"replicas": count, "restartPolicy": "Never", "template": template}


def _exit(failed: Json, pods: Sequence[Json]) -> Exit:
    """What its Pods say of a PyTorchJob that has failed, or its own condition, whose reason is always the same."""
    message = str(failed.get("message", ""))
    if "active longer than specified deadline" in message:
        return Exit(None, DEADLINE_EXCEEDED, message)
    seen = exit_of(pods)
    return Exit(None, "", message) if seen == Exit() else seen


PYTORCHJOB: Final[TrainingExecutor] = PyTorchJobExecutor()
