"""The executor `trainjob`: your own image as a TrainJob of Kubeflow Trainer v2, on a runtime of the cluster. Pure.

The runtime says how nodes find each other; the TrainJob says what they run, and a patch of the runtime's step `node`
says the rest of their Pods. `suspend` and `managedBy` are left to Kueue and to whoever suspends the TrainingJob. There
is no condition for a TrainJob that runs: a Job of it is active.
"""

import math
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
from windlass.operators.training.runfolder import Progress
from windlass.operators.training.types import TrainingJobSpec, Workload

__all__ = ("TRAINJOB", "TRAIN_JOB", "TrainJobExecutor")

TRAIN_JOB: Final = Resource("trainer.kubeflow.org", "v1alpha1", "TrainJob", "trainjobs")

_STEP: Final = "node"  # the replicated job, and the container in it, that train
_MANAGER: Final = "ai.windlass.dev/training-operator"
_OPTIONS: Final = (
    Option("runtime", "torch-distributed"),
    Option("runtimeKind", "ClusterTrainingRuntime", choices=("ClusterTrainingRuntime", "TrainingRuntime")),
    Option("numProcPerNode", minimum=1),
)
_RESERVED: Final = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT")
_OF_THE_TRAINER: Final = ("image", "command", "args")
# What a patch of a runtime may say of Pods; containers and restart policy are the runtime's.
_PATCHED: Final = frozenset(
    {"serviceAccountName", "volumes", "imagePullSecrets", "securityContext", "nodeSelector", "affinity", "tolerations"}
)

Json = Mapping[str, Any]


class TrainJobExecutor(ObjectExecutor):
    """See ObjectExecutor."""

    name = "trainjob"
    resource = TRAIN_JOB

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check. Image and command may be the runtime's."""
        faults = workload_faults(spec.workload, reserved=_RESERVED) + option_faults(_OPTIONS, spec.executor_config)
        if spec.workload is not None and spec.workload.env_from:
            faults.append("workload.envFrom: a TrainJob cannot pass it on; name the variables in workload.env")
        if faults:
            raise HyperparametersInvalid(tuple(faults))

    def outline(self, spec: TrainingJobSpec) -> Outline:
        """See Outline."""
        return outline_of(spec.workload or Workload())

    def body(self, spec: TrainingJobSpec, run: Run, environment: Mapping[str, str]) -> dict[str, Any]:
        """See ObjectExecutor.body."""
        workload, options = spec.workload or Workload(), option_values(_OPTIONS, spec.executor_config)
        told = {**environment, "WINDLASS_NODES": str(workload.nodes)}
        template = pod_template(without_queue(workload), run, told)
        container = template["spec"]["containers"][0]
        trainer = {name: container[name] for name in _OF_THE_TRAINER if name in container}
        trainer |= {"env": _unique(container["env"]), "numNodes": workload.nodes}
        if "resources" in container:
            trainer["resourcesPerNode"] = container["resources"]
        if "numProcPerNode" in options:
            trainer["numProcPerNode"] = options["numProcPerNode"]
        reference = {
            "apiGroup": TRAIN_JOB.group,
            "kind": options["runtimeKind"],
            "name": options["runtime"],
        }
        return {
            "metadata": {"labels": queue_labels(workload)},
            "spec": {"runtimeRef": reference, "trainer": trainer, "runtimePatches": [_patch(template)]},
        }

    def read(self, child: Json, pods: Sequence[Json]) -> Reading:
        """See ObjectExecutor.read."""
        status, spec = child.get("status") or {}, child.get("spec") or {}
        true = {one["type"]: one for one in status.get("conditions") or () if one.get("status") == "True"}
        if "Failed" in true or "Complete" in true:
            return Ended(_exit(true["Failed"], pods)) if "Failed" in true else Finished()
        if "Suspended" in true or spec.get("suspend"):
            return Waiting("it is suspended")
        if not status:
            runtime = (spec.get("runtimeRef") or {}).get("name", "")
            return unheard(child, pods, "Kubeflow Trainer", hint=f", and is there a runtime {runtime}")
        active = any(one.get("active") for one in status.get("jobsStatus") or ())
        # A Job is active with Pods that are pending, too; Pods may not have been seen yet.
        if active and (not pods or any((pod.get("status") or {}).get("phase") == "Running" for pod in pods)):
            return AtWork(_progress(status.get("trainerStatus") or {}))
        return Waiting(waiting_for(pods))


def _patch(template: Json) -> dict[str, Any]:
    """What the runtime's step `node` is to have besides what a trainer may say. Raises HyperparametersInvalid."""
    pod = {name: value for name, value in template["spec"].items() if name not in ("containers", "restartPolicy")}
    unknown = sorted(set(pod) - _PATCHED)
    if unknown:
        raise HyperparametersInvalid(
            tuple(f"workload: {name} cannot be passed on by a TrainJob; the runtime has to say it" for name in unknown)
        )
    mounts = template["spec"]["containers"][0].get("volumeMounts")
    if mounts:
        pod["containers"] = [{"name": _STEP, "volumeMounts": mounts}]
    patched = {"metadata": template["metadata"]} | ({"spec": pod} if pod else {})
    step = {"name": _STEP, "template": {"spec": {"template": patched}}}
    return {"manager": _MANAGER, "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [step]}}}}


def _unique(variables: Sequence[Json]) -> list[Json]:
    """The variables by name, each once, for a TrainJob's are a map; the last of a name counts, as in a container."""
    return list({one["name"]: one for one in variables}.values())


def _exit(failed: Json, pods: Sequence[Json]) -> Exit:
    """What its Pods say of a TrainJob that has failed, or what its own condition says."""
    reason, message = str(failed.get("reason", "")), str(failed.get("message", ""))
    if reason == DEADLINE_EXCEEDED or not pods:
        return Exit(None, reason, message)
    seen = exit_of(pods)
    return Exit(None, reason, message) if seen == Exit() else seen


def _progress(told: Json) -> Progress | None:
    """What the trainer has pushed, if it told all that we show: metrics by the names that progress.jsonl has."""
    metrics = {str(one.get("name")): _number(one.get("value")) for one in told.get("metrics") or ()}
    epoch, epochs, step, loss, accuracy = (
        metrics.get(name) for name in ("epoch", "epochs", "step", "loss", "accuracy")
    )
    if epoch is None or epochs is None or step is None or loss is None or accuracy is None:
        return None
    return Progress(int(epoch), int(epochs), int(step), loss, accuracy)


def _number(text: object) -> float | None:
    try:
        number = float(str(text))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


TRAINJOB: Final[TrainingExecutor] = TrainJobExecutor()
