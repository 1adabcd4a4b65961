"""A stand-in for the controller of Kubeflow Trainer v2, for testing whatever makes TrainJobs."""

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.trainer.controller import (
    ClusterTrainingRuntime,
    Trainer,
    TrainingRuntime,
    TrainJob,
    torch_runtime,
    trainer_definitions,
)

__all__ = (
    "Behaviour",
    "ClusterTrainingRuntime",
    "TrainJob",
    "Trainer",
    "TrainingRuntime",
    "torch_runtime",
    "trainer_definitions",
)
