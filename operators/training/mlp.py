"""A multilayer perceptron: rectified hidden layers of equal width, taught by Adam with the decay apart from the slope.

Adam as in Kingma and Ba 2015 (arXiv:1412.6980, algorithm 1), the decay as in Loshchilov and Hutter 2019
(arXiv:1711.05101, algorithm 2), the first weights as in He et al. 2015 (arXiv:1502.01852, equation 10). See `learner`
for what a learner promises. This module does not know files, processes, or which rows were held out.
"""

import itertools
import math
from typing import ClassVar, Final

import attrs
import numpy as np

from windlass.operators.training.learner import Arrays, Task, batches, demand_finite
from windlass.operators.training.network import Layer, Matrix, Network
from windlass.operators.training.network import softmax as probabilities

__all__ = ("Settings",)

_WEIGHTS: Final = 2  # keeps the stream of the first weights apart from any other use of the same seed
_BETA1: Final = 0.9
_BETA2: Final = 0.999
_EPSILON: Final = 1e-8


@attrs.frozen
class Settings:
    """How to learn: `hidden_layers` layers of `hidden_units`, minibatches of `batch_size` rows, the rate of Adam.

    `weight_decay` times the rate is taken from the weights, not from the biases, at every step. The state: `w0`, `b0`
    and so on from the input, and for each of them Adam's two means, `w0.m` and `w0.v`.
    """

    name: ClassVar[str] = "mlp"

    epochs: int
    batch_size: int
    learning_rate: float
    hidden_layers: int
    hidden_units: int
    weight_decay: float

    def initial(self, task: Task, *, seed: int) -> Arrays:
        """Normal weights with the variance 2 / inputs, no biases, no means yet."""
        rng = np.random.default_rng([_WEIGHTS, seed % 2**64])
        widths = [task.features.shape[1], *[self.hidden_units] * self.hidden_layers, len(task.classes)]
        state: dict[str, Matrix] = {}
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            state[f"w{index}"] = rng.normal(scale=math.sqrt(2.0 / inputs), size=(inputs, outputs))
            state[f"b{index}"] = np.zeros(outputs)
        return state | {f"{name}.{mean}": np.zeros_like(array) for name, array in state.items() for mean in "mv"}

    def train_epoch(self, state: Arrays, task: Task, *, seed: int, epoch: int) -> tuple[Arrays, float]:
        """See Learner.train_epoch."""
        rows = len(task.targets)
        step = (epoch - 1) * -(-rows // self.batch_size)
        total = 0.0
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for batch in batches(rows, self.batch_size, seed=seed, epoch=epoch):
                step += 1
                part = attrs.evolve(task, features=task.features[batch], targets=task.targets[batch])
                loss, slopes = self._slopes(state, part)
                total += loss
                state = self._stepped(state, slopes, step)
        demand_finite(state, total / rows, epoch=epoch, rate=self.learning_rate)
        return state, total / rows

    def layers(self, state: Arrays) -> tuple[Layer, ...]:
        """The hidden layers and the one that gives logits."""
        last = self.hidden_layers
        return tuple(Layer(state[f"w{index}"], state[f"b{index}"], index < last) for index in range(last + 1))

    def _slopes(self, state: Arrays, part: Task) -> tuple[float, Arrays]:
        """The summed cross-entropy of some rows, and the gradient of its mean by every weight and bias."""
        layers, rows = self.layers(state), np.arange(len(part.targets))
        values = Network(layers).values(part.features)
        slope = probabilities(values[-1])
        loss = -float(np.log(slope[rows, part.targets] + 1e-300).sum())
        slope[rows, part.targets] -= 1.0
        slope /= len(rows)
        slopes: dict[str, Matrix] = {}
        for index in range(self.hidden_layers, -1, -1):
            if layers[index].rectified:
                slope = slope * (values[index] > 0)
            before = values[index - 1] if index else part.features
            slopes |= {f"w{index}": before.T @ slope, f"b{index}": slope.sum(axis=0)}
            slope = slope @ layers[index].weights.T
        return loss, slopes

    def _stepped(self, state: Arrays, slopes: Arrays, step: int) -> Arrays:
        after: dict[str, Matrix] = {}
        rate = self.learning_rate * math.sqrt(1.0 - _BETA2**step) / (1.0 - _BETA1**step)
        for name, slope in slopes.items():
            mean = _BETA1 * state[f"{name}.m"] + (1.0 - _BETA1) * slope
            square = _BETA2 * state[f"{name}.v"] + (1.0 - _BETA2) * slope**2
            decay = self.learning_rate * self.weight_decay if name.startswith("w") else 0.0
            # Epsilon is scaled as in the last lines of section 2 of the paper, which saves a pass over the weights.
            moved = state[name] * (1.0 - decay) - rate * mean / (np.sqrt(square) + _EPSILON)
            after |= {name: moved, f"{name}.m": mean, f"{name}.v": square}
        return after
