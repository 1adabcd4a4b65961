"""The executor `softmax`: multinomial logistic regression by minibatches, in a subprocess of this machine."""

from typing import Final

from windlass.operators.training.executors.contract import TrainingExecutor
from windlass.operators.training.executors.hyperparameters import Parameter
from windlass.operators.training.executors.learner import LearnerExecutor

__all__ = ("PARAMETERS", "SOFTMAX")

PARAMETERS: Final = (
    Parameter("epochs", 300, 1, 1_000_000),
    Parameter("batchSize", 8, 1, 1_000_000),
    Parameter("learningRate", 0.005, 0.0, 1e6, open_minimum=True),
    Parameter("momentum", 0.9, 0.0, 1.0, open_maximum=True),
    Parameter("l2", 1e-4, 0.0, 1e6),
)

SOFTMAX: Final[TrainingExecutor] = LearnerExecutor("softmax", PARAMETERS)
