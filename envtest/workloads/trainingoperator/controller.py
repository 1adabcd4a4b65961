"""Stands in for the Training Operator v1: follows PyTorchJobs as the script says, on any API server.

Something has to run the Pods, such as `windlass.envtest.workloads.Workloads`.
"""

from collections.abc import Mapping

from windlass.envtest.workloads.definitions import definitions_in
from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.jobkinds.shell import JobController, Role
from windlass.envtest.workloads.objects import Json
from windlass.envtest.workloads.trainingoperator.steps import pytorch_step
from windlass.informers import Cluster, Resource

__all__ = ("PyTorchJob", "TrainingOperator", "pytorch_job_definition")

PyTorchJob = Resource("kubeflow.org", "v1", "PyTorchJob", "pytorchjobs")


def pytorch_job_definition() -> Json:
    """The CustomResourceDefinition of PyTorchJob."""
    return definitions_in("windlass.envtest.workloads.trainingoperator")[0]


class TrainingOperator(JobController):
    """The controller of PyTorchJobs. Used as `async with TrainingOperator(cluster, script): …`; it runs once.

    `script` says how a job fares, by a part or a pattern of its name; `change` has it fare otherwise. Only jobs of
    `namespace` are followed, if one is given.
    """

    def __init__(
        self, cluster: Cluster, script: Mapping[str, Behaviour] | None = None, *, namespace: str | None = None
    ) -> None:
        role = Role(
            name="pytorchjob-controller",
            kind=PyTorchJob,
            definitions=(pytorch_job_definition(),),
            step=pytorch_step,
        )
        super().__init__(cluster, role, script, namespace=namespace)
