"""However often one looks, the chance that the evidence ever reaches 1/alpha without a difference is at most alpha.

Evidence is a likelihood ratio, mixed over the differences that there might be: its expectation without a difference is
1, and by Ville's inequality it rarely grows large, at any time (H3, T14). Logarithms throughout. With the difference
of means d, whose variance is V, and mixtures of normal width tau around 0:

    two-sided   log E = log sqrt(V / (V + tau^2)) + tau^2 d^2 / (2 V (V + tau^2))
    one-sided   log E + log 2 Phi(tau d / sqrt(V (V + tau^2))),      mixed over differences above 0 alone

and for a share of k in n, where p is expected, a mixture of Beta(c p, c (1 - p)):

    log E = log B(c p + k, c (1 - p) + n - k) / B(c p, c (1 - p)) - k log p - (n - k) log(1 - p)

Sources: R. Johari et al., "Always valid inference", 2015; M. Lindon, A. Malek, "Anytime-valid inference for multinomial
count data", 2020. The means are taken for normal, which the tests by simulation hold for the least samples allowed.
"""

import math
from statistics import NormalDist

__all__ = ("log_evidence", "log_mixed", "log_one_sided", "log_split", "p_value", "samples_needed", "share_variance")

_POWER = 0.8
_SPLIT_WEIGHT = 1000.0
_FAR = -20.0


def log_evidence(difference: float, variance: float, tau: float) -> float:
    """Evidence for a difference in either direction; 0 while the variance is not known."""
    if variance <= 0:
        return 0.0
    wide = variance + tau * tau
    return 0.5 * math.log(variance / wide) + tau * tau * difference * difference / (2 * variance * wide)


def log_one_sided(difference: float, variance: float, tau: float) -> float:
    """Evidence for a difference above 0; 0 while the variance is not known."""
    if variance <= 0:
        return 0.0
    wide = variance + tau * tau
    z = tau * difference / math.sqrt(variance * wide)
    if z < _FAR:
        # There 2 Phi(z) is too small for a double; its first factor, exp(-z^2 / 2), cancels with that of the rest.
        return 0.5 * math.log(2 * variance / (math.pi * wide)) - math.log(-z) + math.log1p(-1 / (z * z))
    return log_evidence(difference, variance, tau) + math.log(math.erfc(-z / math.sqrt(2)))


def log_mixed(difference: float, variance: float, widths: tuple[float, ...]) -> float:
    """One-sided evidence by mixtures of several widths at once: their mean, which finds small and large differences."""
    logs = [log_one_sided(difference, variance, tau) for tau in widths]
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))


def log_split(count: int, total: int, share: float) -> float:
    """Evidence that `count` of `total` did not come about by a share of `share` (0 < share < 1)."""
    a, b = _SPLIT_WEIGHT * share, _SPLIT_WEIGHT * (1 - share)
    lgamma = math.lgamma
    mixed = lgamma(a + count) + lgamma(b + total - count) - lgamma(a + b + total)
    return (
        mixed - lgamma(a) - lgamma(b) + lgamma(a + b) - count * math.log(share) - (total - count) * math.log1p(-share)
    )


def share_variance(ones: int, n: int, others: int) -> float:
    """The variance of the difference between two shares, of `n` and of `others`, that have `ones` in common.

    One success and one failure more than were seen keep it from being too small while there are few.
    """
    pooled = (ones + 1) / (n + others + 2)
    return pooled * (1 - pooled) * (1 / n + 1 / others)


def p_value(log_e: float) -> float:
    """The p-value that is valid at any time, for the largest evidence so far."""
    return min(1.0, math.exp(-log_e)) if log_e > 0 else 1.0


def samples_needed(variance: float, effect: float, alpha: float) -> int:
    """How many samples in each arm find `effect` in four of five experiments that look once; more looks need more."""
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha) + normal.inv_cdf(_POWER)
    return math.ceil(2 * variance * (z / effect) ** 2)
