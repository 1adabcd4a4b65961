"""A learner is a pure function from rows, state, seed and epoch to the next state, so a resumed run ends bit for bit.

Its settings are the learner: a frozen class whose fields are the hyperparameters. Its state is named arrays, and
everything that the next epoch depends on is among them. All is computed in double precision. Another learner is another
module and a row in `learners`. This module does not know files, processes, or which rows were held out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import TrainingDiverged
from windlass.operators.training.network import Layer, Matrix, Network

__all__ = ("Arrays", "Learner", "Task", "accuracy", "batches", "demand_finite", "hyperparameters_of", "parameter_name")

Arrays = Mapping[str, Matrix]

_ORDER: Final = 1  # keeps the stream of the orders apart from any other use of the same seed


@attrs.frozen(eq=False)
class Task:
    """The rows to learn from: N by F features divided by `scale`, and N indexes into `classes`, the K rising labels."""

    features: Matrix
    targets: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    scale: float

    @classmethod
    def of(cls, features: Matrix, labels: npt.NDArray[np.int64]) -> "Task":
        """Scale the features by their greatest magnitude, so that every input lies in [-1, 1]."""
        classes, targets = np.unique(labels, return_inverse=True)
        scale = float(np.abs(features).max(initial=0.0)) or 1.0
        return cls(features / scale, targets.astype(np.int64), classes, scale)


class Learner(attrs.AttrsInstance, Protocol):
    """How to learn: what a frozen attrs class of hyperparameters does with a task. Epochs count from 1."""

    name: ClassVar[str]

    @property
    def epochs(self) -> int:
        """Passes over all rows."""

    @property
    def batch_size(self) -> int:
        """Rows in a minibatch."""

    def initial(self, task: Task, *, seed: int) -> Arrays:
        """The state before the first epoch."""

    def train_epoch(self, state: Arrays, task: Task, *, seed: int, epoch: int) -> tuple[Arrays, float]:
        """The state after one pass over all rows, and the mean cross-entropy met on the way.

        Changes nothing in place. Raises TrainingDiverged as soon as the loss is not a finite number.
        """

    def layers(self, state: Arrays) -> tuple[Layer, ...]:
        """The model in a state, for scaled features."""


def batches(rows: int, size: int, *, seed: int, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
    """The rows of each minibatch, in an order that (seed, epoch) alone decides."""
    order = np.random.default_rng([_ORDER, seed % 2**64, epoch]).permutation(rows)
    for first in range(0, rows, size):
        yield order[first : first + size]


def accuracy(layers: tuple[Layer, ...], task: Task) -> float:
    """The share of the task's own rows that the model gets right."""
    guesses = Network(layers).values(task.features)[-1].argmax(axis=1)
    return float((guesses == task.targets).mean())


def demand_finite(state: Arrays, loss: float, *, epoch: int, rate: float) -> None:
    """Raise TrainingDiverged unless loss and arrays are finite; `rate` is the learning rate, for the message."""
    if not (np.isfinite(loss) and all(bool(np.isfinite(array).all()) for array in state.values())):
        raise TrainingDiverged(
            f"the loss of epoch {epoch} is {loss}: the weights grew beyond bounds; "
            f"a learningRate below {rate:g} may help"
        )


def parameter_name(field: str) -> str:
    """The hyperparameter that a field of a learner is set by: `batch_size` by `batchSize`."""
    head, *others = field.split("_")
    return head + "".join(one.capitalize() for one in others)


def hyperparameters_of(learner: Learner) -> dict[str, float]:
    """Every hyperparameter by its name."""
    fields: dict[str, Any] = attrs.asdict(learner)
    return {parameter_name(field): value for field, value in fields.items()}
