"""Trials on this machine, one after the other, in the caller's thread: the values follow from the plan's seed.

A trial whose training fails is a failed trial; one for which no time is left ends the whole, for a part of the trials
is no answer. This module does not know how Katib does it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from windlass.operators.errors import CheckError, TrainingError
from windlass.operators.training.gate.subject import Sample
from windlass.operators.training.gate.trials import Patience, Trial, TrialPlan, assignments
from windlass.operators.training.learner import Learner, Task, parameter_name
from windlass.operators.training.network import Layer, Network

__all__ = ("LocalTrials", "Objective", "objective_of")

Objective = Callable[[Mapping[str, float], Patience], float]
"""Trains with these hyperparameters and returns the objective. Raises TrainingError when that fails."""


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


def objective_of(learner: Learner, training: Sample, evaluation: Sample, *, seed: int) -> Objective:
    """Trains what the trainer trained, with other hyperparameters; the objective is the accuracy on `evaluation`.

    Names are the executor's: learningRate, batchSize and so on.
    """
    task = Task.of(training.features, training.labels)
    fields = {parameter_name(field): field for field in attrs.fields_dict(type(learner))}

    def objective(values: Mapping[str, float], patience: Patience) -> float:
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise CheckError(
                f"the executor {learner.name} has no hyperparameter {unknown[0]!r}", reason="InvalidParameters"
            )
        changes: dict[str, Any] = {fields[name]: value for name, value in values.items()}
        varied = attrs.evolve(learner, **changes)  # type: ignore[misc]  # mypy wants a class here, not a protocol
        state = varied.initial(task, seed=seed)
        for epoch in range(1, varied.epochs + 1):
            patience.check()
            state, _ = varied.train_epoch(state, task, seed=seed, epoch=epoch)
        return _accuracy(varied.layers(state), task, evaluation)

    return objective


def _accuracy(layers: tuple[Layer, ...], task: Task, sample: Sample) -> float:
    guesses = Network(layers).values(sample.features / task.scale)[-1].argmax(axis=1)
    return float((task.classes[guesses] == sample.labels).mean())
