"""A stand-in for KubeRay's controller of RayJobs, for testing whatever makes them."""

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.ray.controller import KubeRay, RayJob, ray_job_definition

__all__ = ("Behaviour", "KubeRay", "RayJob", "ray_job_definition")
