"""Multinomial logistic regression: the loss is convex, so descent by minibatches with momentum needs no luck.

See `learner` for what a learner promises. This module does not know files, processes, or which rows were held out.
"""

from typing import ClassVar

import attrs
import numpy as np

from windlass.operators.training.learner import Arrays, Task, batches, demand_finite
from windlass.operators.training.network import Layer
from windlass.operators.training.network import softmax as probabilities

__all__ = ("Settings",)


@attrs.frozen
class Settings:
    """How to descend: minibatches of `batch_size` rows, momentum, and decay `l2` of the weights but not of the bias.

    The state: `weights` F by K, `bias` K, and a velocity for each.
    """

    name: ClassVar[str] = "softmax"

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    l2: float

    def initial(self, task: Task, *, seed: int) -> Arrays:  # noqa: ARG002  (there is nothing to draw)
        """All zero: there is no symmetry to break."""
        shape = task.features.shape[1], len(task.classes)
        return {
            "weights": np.zeros(shape),
            "bias": np.zeros(shape[1]),
            "weights_velocity": np.zeros(shape),
            "bias_velocity": np.zeros(shape[1]),
        }

    def train_epoch(self, state: Arrays, task: Task, *, seed: int, epoch: int) -> tuple[Arrays, float]:
        """See Learner.train_epoch."""
        rows = len(task.targets)
        onehot = np.eye(len(task.classes))
        weights, bias = state["weights"].copy(), state["bias"].copy()
        weights_velocity, bias_velocity = state["weights_velocity"], state["bias_velocity"]
        total = 0.0
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for batch in batches(rows, self.batch_size, seed=seed, epoch=epoch):
                x, target = task.features[batch], task.targets[batch]
                p = probabilities(x @ weights + bias)
                total -= float(np.log(p[np.arange(len(batch)), target] + 1e-300).sum())
                error = (p - onehot[target]) / len(batch)
                slope = x.T @ error + self.l2 * weights
                weights_velocity = self.momentum * weights_velocity - self.learning_rate * slope
                bias_velocity = self.momentum * bias_velocity - self.learning_rate * error.sum(axis=0)
                weights += weights_velocity
                bias += bias_velocity
        after = {
            "weights": weights,
            "bias": bias,
            "weights_velocity": weights_velocity,
            "bias_velocity": bias_velocity,
        }
        demand_finite(after, total / rows, epoch=epoch, rate=self.learning_rate)
        return after, total / rows

    def layers(self, state: Arrays) -> tuple[Layer, ...]:
        """A single layer."""
        return (Layer(state["weights"], state["bias"], rectified=False),)
