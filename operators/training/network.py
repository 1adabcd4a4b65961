"""A network is a chain of dense layers that ends in logits; its answers and its slopes are exact in double precision.

This module does not know how the weights came about or where they are kept.
"""

import attrs
import numpy as np
import numpy.typing as npt

__all__ = ("Layer", "Matrix", "Network", "softmax")

Matrix = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Layer:
    """`activation(x @ weights + bias)`: weights F by H, bias H; rectified or not."""

    weights: Matrix
    bias: Matrix
    rectified: bool


@attrs.frozen(eq=False)
class Network:
    """Layers upon `x * factor`, the last of which gives logits; computed in double precision."""

    layers: tuple[Layer, ...]
    factor: float = 1.0

    def probabilities(self, features: Matrix) -> Matrix:
        """N by F features give N by K probabilities."""
        return softmax(self.values(features)[-1])

    def gradient(self, features: Matrix, targets: npt.NDArray[np.int64]) -> Matrix:
        """The gradient of each row's cross-entropy by its features, by back-propagation."""
        values = self.values(features)
        slope = softmax(values[-1])
        slope[np.arange(len(targets)), targets] -= 1.0
        for layer, after in zip(reversed(self._scaled()), reversed(values), strict=True):
            if layer.rectified:
                slope *= after > 0
            slope = slope @ layer.weights.T
        return slope

    def values(self, features: Matrix) -> list[Matrix]:
        """The values after each layer; the last are the logits."""
        values, current = [], features
        for layer in self._scaled():
            current = current @ layer.weights + layer.bias
            current = np.maximum(current, 0.0) if layer.rectified else current
            values.append(current)
        return values

    def _scaled(self) -> tuple[Layer, ...]:
        """The layers with the factor in the first one's weights, which are smaller than the rows are."""
        if self.factor == 1.0:
            return self.layers
        first, *others = self.layers
        return (attrs.evolve(first, weights=first.weights * self.factor), *others)


def softmax(logits: Matrix) -> Matrix:
    """Each row as probabilities."""
    powers: Matrix = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
