"""The formulas of the gate, each with its source; numbers in, numbers out, and what is random follows from a seed.

This module does not know models, checks or thresholds.
"""

import math
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.training.network import Matrix

__all__ = ("Bound", "Resampling", "Spread", "kolmogorov_smirnov", "lower_bound", "population_stability", "spread_of")

_BOOTSTRAP: Final = 5  # keeps the stream of the resamples apart from any other use of the same seed
_SERIES_TERMS: Final = 101


@attrs.frozen
class Spread:
    """Mean, sample variance (n - 1 in the denominator), standard deviation and coefficient of variation."""

    mean: float
    variance: float
    deviation: float
    variation: float | None


def spread_of(values: Sequence[float]) -> Spread:
    """How far two values or more lie apart. The coefficient of variation of a mean of 0 is None."""
    found = np.asarray(values, dtype=np.float64)
    mean, variance = float(found.mean()), float(found.var(ddof=1))
    deviation = math.sqrt(variance)
    return Spread(mean, variance, deviation, deviation / abs(mean) if mean else None)


@attrs.frozen
class Bound:
    """The mean difference, new minus old, and the number above which it lies with the asked-for confidence."""

    difference: float
    lower: float


@attrs.frozen
class Resampling:
    """How sure to be (0.95), how many times to draw, and from which seed."""

    confidence: float
    draws: int
    seed: int


def lower_bound(new: npt.NDArray[np.bool_], old: npt.NDArray[np.bool_], how: Resampling) -> Bound:
    """One-sided percentile bootstrap of paired rows (Efron and Tibshirani 1993, chapter 13).

    A row's difference is -1, 0 or 1, so drawing n rows with replacement is one draw of three counts from the
    multinomial distribution, and that is what is drawn.
    """
    rows = len(new)
    better, worse = int((new & ~old).sum()), int((old & ~new).sum())
    shares = np.array([better, worse, rows - better - worse]) / rows
    drawn = np.random.default_rng([_BOOTSTRAP, how.seed % 2**64]).multinomial(rows, shares, size=how.draws)
    means = (drawn[:, 0] - drawn[:, 1]) / rows
    # "lower": a value that was drawn, not one between two of them, so that the bound is never too high.
    return Bound((better - worse) / rows, float(np.quantile(means, 1 - how.confidence, method="lower")))


def population_stability(reference: Matrix, found: Matrix, *, bins: int, smoothing: float) -> float:
    """The population stability index of one feature: sum over bins of (q - p) ln(q / p).

    p and q are the shares of both samples in bins cut at the reference's quantiles, `smoothing` added to each share
    before they are made to add up to 1 again, so that an empty bin is no infinity.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    if len(edges) == 1 or reference.min() == reference.max():
        # (Nearly) one value: below it, the value itself, above it.
        edges = np.array([edges[0], np.nextafter(edges[0], np.inf)])
    p, q = (_shares(values, edges, smoothing) for values in (reference, found))
    return float(((q - p) * np.log(q / p)).sum())


def kolmogorov_smirnov(one: Matrix, other: Matrix) -> tuple[float, float]:
    """The greatest distance of both distribution functions, and about how probable a greater one is by chance.

    Two-sided, asymptotic, with the correction for small samples of Stephens (1970), as in Numerical Recipes.
    """
    merged = np.concatenate([one, other])
    cdfs = [np.searchsorted(np.sort(values), merged, side="right") / len(values) for values in (one, other)]
    distance = float(np.abs(cdfs[0] - cdfs[1]).max())
    root = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return distance, 1.0  # the series does not converge there, and its limit differs from 1 by less than 1e-11
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, _SERIES_TERMS))
    return distance, min(1.0, max(0.0, math.fsum(terms)))


def _shares(values: Matrix, edges: Matrix, smoothing: float) -> Matrix:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    shares: Matrix = counts / len(values) + smoothing
    shares /= shares.sum()
    return shares
