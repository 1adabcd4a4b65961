"""A stand-in for the Training Operator v1 of Kubeflow, for testing whatever makes PyTorchJobs."""

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.trainingoperator.controller import (
    PyTorchJob,
    TrainingOperator,
    pytorch_job_definition,
)

__all__ = ("Behaviour", "PyTorchJob", "TrainingOperator", "pytorch_job_definition")
