"""Stands in for KubeRay: follows RayJobs as the script says, on any API server.

A Ray cluster is its Pods, without the RayCluster object; the driver is the Pod that submits it, whose end is the job's.
Something has to run the Pods, such as `windlass.envtest.workloads.Workloads`.
"""

from collections.abc import Mapping

from windlass.envtest.workloads.definitions import definitions_in
from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.jobkinds.shell import JobController, Role
from windlass.envtest.workloads.objects import Json
from windlass.envtest.workloads.ray.steps import ray_step
from windlass.informers import Cluster, Resource

__all__ = ("KubeRay", "RayJob", "ray_job_definition")

RayJob = Resource("ray.io", "v1", "RayJob", "rayjobs")


def ray_job_definition() -> Json:
    """The CustomResourceDefinition of RayJob."""
    return definitions_in("windlass.envtest.workloads.ray")[0]


class KubeRay(JobController):
    """The controller of RayJobs. Used as `async with KubeRay(cluster, script): …`; it runs once.

    `script` says how a job fares, by a part or a pattern of its name; `change` has it fare otherwise. Only jobs of
    `namespace` are followed, if one is given.
    """

    def __init__(
        self, cluster: Cluster, script: Mapping[str, Behaviour] | None = None, *, namespace: str | None = None
    ) -> None:
        role = Role(name="ray-operator", kind=RayJob, definitions=(ray_job_definition(),), step=ray_step)
        super().__init__(cluster, role, script, namespace=namespace)
