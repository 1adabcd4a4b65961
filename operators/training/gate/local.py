"""Trials on this machine, one after the other, in the caller's thread: the values follow from the plan's seed.

A trial whose training fails is a failed trial; one for which no time is left ends the whole, for a part of the trials
is no answer. This module does not know how Katib does it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from windlass.operators.errors import CheckError, TrainingError
from windlass.operators.training import softmax
from windlass.operators.training.gate.subject import Sample
from windlass.operators.training.gate.trials import Patience, Trial, TrialPlan, assignments
from windlass.operators.training.softmax import Settings, Task, Weights

__all__ = ("LocalTrials", "Objective", "softmax_objective")

Objective = Callable[[Mapping[str, float], Patience], float]
"""Trains with these hyperparameters and returns the objective. Raises TrainingError when that fails."""

_FIELDS: Final[Mapping[str, str]] = {
    "epochs": "epochs",
    "batchSize": "batch_size",
    "learningRate": "learning_rate",
    "momentum": "momentum",
    "l2": "l2",
}


@attrs.frozen
class LocalTrials:
    """See TrialRunner. `seconds` bounds all trials together, beside the check's own time."""

    objective: Objective
    seconds: float = 600.0
    name: str = attrs.field(default="local", init=False)

    def run(self, plan: TrialPlan, deadline: Patience) -> tuple[Trial, ...]:
        """See TrialRunner.run."""
        budget = _Budget(deadline, deadline.remaining() - self.seconds)
        return tuple(self._one(index, values, budget) for index, values in enumerate(assignments(plan)))

    def _one(self, index: int, values: Mapping[str, float], budget: Patience) -> Trial:
        name = f"trial-{index:03d}"
        budget.check()
        try:
            return Trial(name, "Succeeded", float(self.objective(values, budget)), values)
        except CheckError:
            raise
        except TrainingError:
            return Trial(name, "Failed", None, values)


@attrs.frozen
class _Budget:
    """The deadline, less what must be left of it."""

    deadline: Patience
    left_over: float

    @property
    def seconds(self) -> float:
        return self.deadline.seconds

    def remaining(self) -> float:
        return max(0.0, self.deadline.remaining() - max(0.0, self.left_over))

    def check(self) -> None:
        self.deadline.check()
        if self.remaining() <= 0:
            raise CheckError("the trials' own budget of time is used up", reason="BudgetExhausted")


def softmax_objective(training: Sample, evaluation: Sample, base: Settings, *, seed: int) -> Objective:
    """Trains the regression of the executor `softmax` with other hyperparameters; the objective is the accuracy.

    Names are the executor's: learningRate, batchSize and so on.
    """
    task = Task.of(training.features, training.labels)

    def objective(values: Mapping[str, float], patience: Patience) -> float:
        unknown = sorted(set(values) - set(_FIELDS))
        if unknown:
            raise CheckError(f"the executor softmax has no hyperparameter {unknown[0]!r}", reason="InvalidParameters")
        changes: dict[str, Any] = {_FIELDS[name]: value for name, value in values.items()}
        settings = attrs.evolve(base, **changes)
        weights = softmax.initial(task)
        for epoch in range(1, settings.epochs + 1):
            patience.check()
            weights, _ = softmax.train_epoch(weights, task, settings, seed=seed, epoch=epoch)
        return _accuracy(weights, task, evaluation)

    return objective


def _accuracy(weights: Weights, task: Task, sample: Sample) -> float:
    guesses = (sample.features / task.scale @ weights.weights + weights.bias).argmax(axis=1)
    return float((task.classes[guesses] == sample.labels).mean())
