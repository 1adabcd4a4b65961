"""A stand-in for KServe's controller, for testing whatever moves traffic between releases of a model."""

from windlass.envtest.workloads.kserve.behaviour import Behaviour
from windlass.envtest.workloads.kserve.controller import InferenceService, KServe, inference_service_definition

__all__ = ("Behaviour", "InferenceService", "KServe", "inference_service_definition")
