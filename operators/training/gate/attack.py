"""The fast gradient sign method (Goodfellow, Shlens, Szegedy 2014): one step of size epsilon along the loss's sign.

    x' = clip(x + epsilon * sign(gradient of the cross-entropy by x), low, high)

The success rate is the share of rows labelled right before that are labelled wrong after (B3). The gradient comes from
the model itself, or is estimated from its answers alone: by central differences, one feature after the other, or by
simultaneous perturbation (Spall 1992), all features at once in random directions. This module does not judge.
"""

from collections.abc import Callable
from typing import Final, Literal

import attrs
import numpy as np

from windlass.operators.training.gate.subject import Classifier, InputGradient, Labels, Sample
from windlass.operators.training.network import Matrix

__all__ = ("Attack", "Attacked", "Mode", "attack", "by_differences", "by_perturbation", "cross_entropy", "fgsm")

Mode = Literal["gradient", "differences", "spsa"]

_SPSA: Final = 4  # keeps the stream of the directions apart from any other use of the same seed
_ROWS_AT_ONCE: Final = 65_536  # predictions in one call of the model
_TINY: Final = 1e-300


@attrs.frozen
class Attack:
    """How to attack: `epsilon` in the units of the model's input, inputs kept within `low` and `high`.

    `step` is how far the estimates look to each side, `draws` how many directions SPSA averages.
    """

    epsilon: float
    low: float
    high: float
    mode: Mode
    step: float
    draws: int
    seed: int


@attrs.frozen
class Attacked:
    """Of `rows`, `correct` were labelled right; of these `fooled` no longer are, and `flat` had no slope to follow."""

    rows: int
    correct: int
    fooled: int
    flat: int


def fgsm(features: Matrix, gradient: Matrix, epsilon: float, *, bounds: tuple[float, float]) -> Matrix:
    """The adversarial rows."""
    moved: Matrix = np.sign(gradient)
    moved *= epsilon
    moved += features
    return np.clip(moved, *bounds, out=moved)


def attack(model: Classifier, sample: Sample, how: Attack, *, pause: Callable[[], None] = lambda: None) -> Attacked:
    """Attack the rows that are labelled right. `pause` is called now and then, and may raise.

    Raises CheckError for answers that are no probabilities.
    """
    right = model.right(sample)
    features, targets = sample.features[right], model.targets(sample.labels[right])
    if not len(targets):
        return Attacked(len(sample), 0, 0, 0)
    gradient = _gradient(model, how, pause)(features, targets)
    moved = fgsm(features, gradient, how.epsilon, bounds=(how.low, how.high))
    after = model.answers(moved).argmax(axis=1)
    flat = ~gradient.any(axis=1)
    return Attacked(len(sample), len(targets), int((after != targets).sum()), int(flat.sum()))


def cross_entropy(probabilities: Matrix, targets: Labels) -> Matrix:
    """The loss of each row, exact also where the probability of the label rounds to 1: by what the others get."""
    rows = np.arange(len(targets))
    own = probabilities[rows, targets]
    others = probabilities.sum(axis=1, where=_others(probabilities, targets))
    with np.errstate(divide="ignore"):
        near_one = -np.log1p(-np.minimum(others, 0.5))
        loss: Matrix = np.where(others < 0.5, near_one, -np.log(np.maximum(own, _TINY)))
    return loss


def by_differences(model: Classifier, step: float, *, pause: Callable[[], None] = lambda: None) -> InputGradient:
    """Central differences: `2 F` answers of the model for each row."""

    def gradient(features: Matrix, targets: Labels) -> Matrix:
        found = np.empty_like(features)
        for index in range(features.shape[1]):
            pause()
            offset: Matrix = np.zeros(features.shape, dtype=np.float64)
            offset[:, index] = step
            found[:, index] = _slope(model, features, targets, offset=offset) / step
        return found

    return gradient


def by_perturbation(model: Classifier, how: Attack, *, pause: Callable[[], None] = lambda: None) -> InputGradient:
    """SPSA: `2 draws` answers for each row, with random signs for all features at once."""

    def gradient(features: Matrix, targets: Labels) -> Matrix:
        rng = np.random.default_rng([_SPSA, how.seed % 2**64])
        total = np.zeros_like(features)
        for _ in range(how.draws):
            pause()
            signs: Matrix = (rng.integers(0, 2, features.shape) * 2 - 1).astype(np.float64)
            total += _slope(model, features, targets, offset=signs * how.step)[:, None] * signs
        found: Matrix = total / (how.draws * how.step)
        return found

    return gradient


def _gradient(model: Classifier, how: Attack, pause: Callable[[], None]) -> InputGradient:
    if how.mode == "gradient" and model.gradient is not None:
        return model.gradient
    if how.mode == "spsa":
        return by_perturbation(model, how, pause=pause)
    return by_differences(model, how.step, pause=pause)


def _slope(model: Classifier, features: Matrix, targets: Labels, *, offset: Matrix) -> Matrix:
    """Half the difference of the loss between both sides of each row."""
    sides = []
    for side in (features + offset, features - offset):
        chunks = range(0, len(side), _ROWS_AT_ONCE)
        answers = np.concatenate([model.answers(side[first : first + _ROWS_AT_ONCE]) for first in chunks])
        sides.append(cross_entropy(answers, targets))
    halved: Matrix = (sides[0] - sides[1]) / 2
    return halved


def _others(probabilities: Matrix, targets: Labels) -> "np.typing.NDArray[np.bool_]":
    mask = np.ones(probabilities.shape, dtype=np.bool_)
    mask[np.arange(len(targets)), targets] = False
    return mask
