"""The executor `llm-finetune`: an adapter of low rank for a language model, tuned in a subprocess of this machine.

This module does not know how the process is kept, nor how a model is tuned.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from windlass.operators.errors import ExtraMissing, HyperparametersInvalid
from windlass.operators.training.executors.contract import Plan, Run, TrainingExecutor
from windlass.operators.training.executors.hyperparameters import Parameter, read_hyperparameters
from windlass.operators.training.executors.process import ProcessExecutor
from windlass.operators.training.learner import parameter_name
from windlass.operators.training.llm.config import Settings, TuningConfig, render_tuning
from windlass.operators.training.types import TrainingJobSpec

__all__ = ("LLM_FINETUNE", "PARAMETERS", "LlmExecutor")

PARAMETERS: Final = (
    Parameter("epochs", 1, 1, 100_000),
    Parameter("batchSize", 4, 1, 100_000),
    Parameter("learningRate", 2e-4, 0.0, 1e3, open_minimum=True),
    Parameter("rank", 8, 1, 4096),
    Parameter("alpha", 16.0, 0.0, 65_536, open_minimum=True),
    Parameter("dropout", 0.0, 0.0, 1.0, open_maximum=True),
    Parameter("maxLength", 512, 2, 1_000_000),
    Parameter("warmupSteps", 0, 0, 1_000_000),
    Parameter("gradientClip", 1.0, 0.0, 1e6, open_minimum=True),
    Parameter("checkpointSteps", 50, 1, 1_000_000),
)

_MODULE: Final = "windlass.operators.training.llm.trainer"
_LIBRARIES: Final = (
    ("deltalake", "delta"),
    ("torch", "llm"),
    ("transformers", "llm"),
    ("peft", "llm"),
    ("safetensors", "llm"),
)


class LlmExecutor(ProcessExecutor):
    """See TrainingExecutor."""

    name = "llm-finetune"

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check."""
        _read(spec.hyperparameters)
        for library, extra in _LIBRARIES:
            if importlib.util.find_spec(library) is None:
                raise ExtraMissing(library, needed_for=f"the executor {self.name}", extra=extra)

    def render(self, spec: TrainingJobSpec, run: Run) -> Plan:
        """See TrainingExecutor.render."""
        values, model, merge = _read(spec.hyperparameters)
        fields = {parameter_name(field.name): field.name for field in Settings.__attrs_attrs__}
        given: dict[str, Any] = {fields[name]: value for name, value in values.items()}
        config = TuningConfig(
            run=run.id,
            data=run.data,
            seed=spec.seed,
            holdout=spec.validation.holdout,
            model=model,
            merge=merge,
            settings=Settings(**given),
        )
        return Plan(run, _MODULE, render_tuning(config))


def _read(given: Mapping[str, object]) -> tuple[dict[str, int | float], str, bool]:
    """The numbers, the folder of the model, and whether to merge. Raises HyperparametersInvalid with all faults."""
    faults: list[str] = []
    model, merge = given.get("model"), given.get("merge", False)
    if not isinstance(model, str) or not Path(model).is_absolute() or ".." in Path(model).parts:
        found = "none" if model is None else repr(model)
        faults.append(f"hyperparameters.model: expected the absolute path of a model's folder, found {found}")
    if not isinstance(merge, bool):
        faults.append(f"hyperparameters.merge: expected true or false, found {merge!r}")
    try:
        values = read_hyperparameters(PARAMETERS, given, beside=("model", "merge"))
    except HyperparametersInvalid as error:
        faults += error.faults
    if faults:
        raise HyperparametersInvalid(tuple(faults))
    return values, str(model), bool(merge)


LLM_FINETUNE: Final[TrainingExecutor] = LlmExecutor()
