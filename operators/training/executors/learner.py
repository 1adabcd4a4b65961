"""The executors of the small trainers: one for each learner, which differ in their hyperparameters and nothing else.

This module does not know how the process is kept, nor what a learner computes.
"""

import importlib.util
from typing import Any, Final

from windlass.operators.errors import ExtraMissing, HyperparametersInvalid
from windlass.operators.training.config import TrainerConfig, render_config
from windlass.operators.training.executors.contract import Plan, Run
from windlass.operators.training.executors.hyperparameters import Parameter, read_hyperparameters
from windlass.operators.training.executors.process import ProcessExecutor
from windlass.operators.training.learner import Learner, parameter_name
from windlass.operators.training.learners import LEARNERS
from windlass.operators.training.types import TrainingJobSpec

__all__ = ("LearnerExecutor",)

_LIBRARIES: Final = (("deltalake", "delta"), ("onnx", "train"), ("onnxruntime", "onnx"))


class LearnerExecutor(ProcessExecutor):
    """See TrainingExecutor. `name` is the learner's, and `parameters` are one for each of its fields."""

    def __init__(self, name: str, parameters: tuple[Parameter, ...]) -> None:
        self.name = name
        self.parameters = parameters
        self._learner: type[Any] = LEARNERS[name]

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check."""
        self._refuse_foreign_words(spec)
        read_hyperparameters(self.parameters, spec.hyperparameters)
        for library, extra in _LIBRARIES:
            if importlib.util.find_spec(library) is None:
                raise ExtraMissing(library, needed_for=f"the executor {self.name}", extra=extra)

    def _refuse_foreign_words(self, spec: TrainingJobSpec) -> None:
        faults = [f"executorConfig.{name}: unknown; {self.name} has no options" for name in spec.executor_config]
        if spec.workload is not None:
            faults.insert(0, f"workload: expected none, for {self.name} brings its own program")
        if faults:
            raise HyperparametersInvalid(tuple(faults))

    def render(self, spec: TrainingJobSpec, run: Run) -> Plan:
        """See TrainingExecutor.render."""
        config = TrainerConfig(run.id, run.data, spec.seed, spec.validation.holdout, self.learner(spec))
        return Plan(run, "windlass.operators.training.trainer", render_config(config))

    def learner(self, spec: TrainingJobSpec) -> Learner:
        """The learner with every hyperparameter of the spec or its default. Raises HyperparametersInvalid."""
        values = read_hyperparameters(self.parameters, spec.hyperparameters)
        fields = {parameter_name(field.name): field.name for field in self._learner.__attrs_attrs__}
        learner: Learner = self._learner(**{fields[name]: value for name, value in values.items()})
        return learner

    def __repr__(self) -> str:
        return f"<LearnerExecutor {self.name}>"
