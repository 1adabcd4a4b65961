"""The executor `mlp`: a multilayer perceptron taught by Adam, in a subprocess of this machine."""

from typing import Final

from windlass.operators.training.executors.contract import TrainingExecutor
from windlass.operators.training.executors.hyperparameters import Parameter
from windlass.operators.training.executors.learner import LearnerExecutor

__all__ = ("MLP", "PARAMETERS")

PARAMETERS: Final = (
    Parameter("epochs", 60, 1, 1_000_000),
    Parameter("batchSize", 32, 1, 1_000_000),
    Parameter("learningRate", 0.002, 0.0, 1e3, open_minimum=True),
    Parameter("hiddenLayers", 1, 1, 16),
    Parameter("hiddenUnits", 64, 1, 65_536),
    Parameter("weightDecay", 0.01, 0.0, 1e3),
)

MLP: Final[TrainingExecutor] = LearnerExecutor("mlp", PARAMETERS)
