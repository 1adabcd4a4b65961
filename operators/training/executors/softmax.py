"""The executor `softmax`: multinomial logistic regression by minibatches, in a subprocess of this machine.

This module does not know how the process is kept, nor how the regression is computed.
"""

import importlib.util
from typing import Final

from windlass.operators.errors import ExtraMissing
from windlass.operators.training.config import TrainerConfig, render_config
from windlass.operators.training.executors.contract import Plan, Run, TrainingExecutor
from windlass.operators.training.executors.hyperparameters import Parameter, read_hyperparameters
from windlass.operators.training.executors.process import ProcessExecutor
from windlass.operators.training.softmax import Settings
from windlass.operators.training.types import TrainingJobSpec

__all__ = ("PARAMETERS", "SOFTMAX", "SoftmaxExecutor")

PARAMETERS: Final = (
    Parameter("epochs", 300, 1, 1_000_000),
    Parameter("batchSize", 8, 1, 1_000_000),
    Parameter("learningRate", 0.005, 0.0, 1e6, open_minimum=True),
    Parameter("momentum", 0.9, 0.0, 1.0, open_maximum=True),
    Parameter("l2", 1e-4, 0.0, 1e6),
)

_LIBRARIES: Final = (("deltalake", "delta"), ("onnx", "train"), ("onnxruntime", "onnx"))


class SoftmaxExecutor(ProcessExecutor):
    """See TrainingExecutor."""

    name = "softmax"

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check."""
        read_hyperparameters(PARAMETERS, spec.hyperparameters)
        for library, extra in _LIBRARIES:
            if importlib.util.find_spec(library) is None:
                raise ExtraMissing(library, needed_for="the executor softmax", extra=extra)

    def render(self, spec: TrainingJobSpec, run: Run) -> Plan:
        """See TrainingExecutor.render."""
        values = read_hyperparameters(PARAMETERS, spec.hyperparameters)
        settings = Settings(
            epochs=int(values["epochs"]),
            batch_size=int(values["batchSize"]),
            learning_rate=values["learningRate"],
            momentum=values["momentum"],
            l2=values["l2"],
        )
        config = TrainerConfig(run.id, run.data, spec.seed, spec.validation.holdout, settings)
        return Plan(run, "windlass.operators.training.trainer", render_config(config))


SOFTMAX: Final[TrainingExecutor] = SoftmaxExecutor()
