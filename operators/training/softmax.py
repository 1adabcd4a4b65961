"""The weights after an epoch follow from rows, settings, seed and epoch alone: a resumed run ends bit for bit the same.

Each epoch draws its order from a generator keyed with (seed, epoch), and everything that the next epoch depends on is
in `Weights`. The regression is computed in double precision. This module does not know files, processes, or which
rows were held out.
"""

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import TrainingDiverged

__all__ = ("Matrix", "Settings", "Task", "Weights", "accuracy", "initial", "train_epoch")

Matrix = npt.NDArray[np.float64]

_ORDER: Final = 1  # keeps the stream of the orders apart from any other use of the same seed


@attrs.frozen
class Settings:
    """How to descend: minibatches of `batch_size` rows, momentum, and decay `l2` of the weights but not of the bias."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    l2: float


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


@attrs.frozen(eq=False)
class Weights:
    """The model and its momentum: weights F by K, bias K, and a velocity for each."""

    weights: Matrix
    bias: Matrix
    weights_velocity: Matrix
    bias_velocity: Matrix


def initial(task: Task) -> Weights:
    """All zero: the loss is convex, so there is no symmetry to break."""
    shape = task.features.shape[1], len(task.classes)
    return Weights(np.zeros(shape), np.zeros(shape[1]), np.zeros(shape), np.zeros(shape[1]))


def train_epoch(start: Weights, task: Task, settings: Settings, *, seed: int, epoch: int) -> tuple[Weights, float]:
    """One pass over all rows; the new weights and the mean cross-entropy met on the way. Epochs count from 1.

    Raises TrainingDiverged as soon as the loss is not a finite number.
    """
    rows = len(task.targets)
    order = np.random.default_rng([_ORDER, seed % 2**64, epoch]).permutation(rows)
    onehot = np.eye(len(task.classes))
    weights, bias = start.weights.copy(), start.bias.copy()
    weights_velocity, bias_velocity = start.weights_velocity.copy(), start.bias_velocity.copy()
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for first in range(0, rows, settings.batch_size):
            batch = order[first : first + settings.batch_size]
            x, target = task.features[batch], task.targets[batch]
            p = _softmax(x @ weights + bias)
            total -= float(np.log(p[np.arange(len(batch)), target] + 1e-300).sum())
            error = (p - onehot[target]) / len(batch)
            weights_velocity = settings.momentum * weights_velocity - settings.learning_rate * (
                x.T @ error + settings.l2 * weights
            )
            bias_velocity = settings.momentum * bias_velocity - settings.learning_rate * error.sum(axis=0)
            weights += weights_velocity
            bias += bias_velocity
    loss = total / rows
    if not (np.isfinite(loss) and bool(np.isfinite(weights).all()) and bool(np.isfinite(bias).all())):
        raise TrainingDiverged(
            f"the loss of epoch {epoch} is {loss}: the weights grew beyond bounds; "
            f"a learningRate below {settings.learning_rate:g} may help"
        )
    return Weights(weights, bias, weights_velocity, bias_velocity), loss


def accuracy(weights: Weights, task: Task) -> float:
    """The share of the task's own rows that the model gets right."""
    guesses = (task.features @ weights.weights + weights.bias).argmax(axis=1)
    return float((guesses == task.targets).mean())


def _softmax(logits: Matrix) -> Matrix:
    powers: Matrix = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
