"""Stands in for the controller of Kubeflow Trainer v2: follows TrainJobs as the script says, on any API server.

Pods come directly from the TrainJob: the JobSet and the Jobs between them are left out, their names and labels are not.
Something has to run the Pods, such as `windlass.envtest.workloads.Workloads`.
"""

from collections.abc import Mapping

from windlass.envtest.workloads.definitions import definitions_in
from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.jobkinds.shell import JobController, Role
from windlass.envtest.workloads.objects import Json
from windlass.envtest.workloads.trainer.steps import trainer_step
from windlass.informers import Cluster, Resource

__all__ = ("ClusterTrainingRuntime", "TrainJob", "Trainer", "TrainingRuntime", "torch_runtime", "trainer_definitions")

TrainJob = Resource("trainer.kubeflow.org", "v1alpha1", "TrainJob", "trainjobs")
TrainingRuntime = Resource("trainer.kubeflow.org", "v1alpha1", "TrainingRuntime", "trainingruntimes")
ClusterTrainingRuntime = Resource(
    "trainer.kubeflow.org", "v1alpha1", "ClusterTrainingRuntime", "clustertrainingruntimes", namespaced=False
)


def trainer_definitions() -> tuple[Json, ...]:
    """The CustomResourceDefinitions of TrainJob, TrainingRuntime and ClusterTrainingRuntime."""
    return definitions_in("windlass.envtest.workloads.trainer")


def torch_runtime(name: str = "torch-distributed", *, nodes: int = 1) -> Json:
    """A ClusterTrainingRuntime with one step, the trainer's, on so many nodes unless a TrainJob says otherwise."""
    step = {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}}
    container = {"name": "node", "image": "pytorch/pytorch:2.9.1"}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = step | {"spec": {"backoffLimit": 0, "template": pod}}
    return {
        "apiVersion": ClusterTrainingRuntime.api_version,
        "kind": ClusterTrainingRuntime.kind,
        "metadata": {"name": name, "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": nodes, "torch": {"numProcPerNode": "auto"}},
            "template": {"spec": {"replicatedJobs": [{"name": "node", "template": job}]}},
        },
    }


class Trainer(JobController):
    """The controller of TrainJobs. Used as `async with Trainer(cluster, script): …`; it runs once.

    `script` says how a job fares, by a part or a pattern of its name; `change` has it fare otherwise. A TrainJob
    without its runtime waits for it. With `namespace` only TrainJobs there are followed.
    """

    def __init__(
        self, cluster: Cluster, script: Mapping[str, Behaviour] | None = None, *, namespace: str | None = None
    ) -> None:
        role = Role(
            name="trainjob-controller",
            kind=TrainJob,
            definitions=trainer_definitions(),
            reads=(TrainingRuntime, ClusterTrainingRuntime),
            step=trainer_step,
        )
        super().__init__(cluster, role, script, namespace=namespace)
