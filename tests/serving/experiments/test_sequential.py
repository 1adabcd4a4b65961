"""The tests that may be looked at after every sample, held against simulations."""

import math
import random
from statistics import NormalDist

import numpy as np
import pytest
from seeds import announced_seed

from windlass.serving.experiments.sequential import (
    log_evidence,
    log_mixed,
    log_one_sided,
    log_split,
    p_value,
    samples_needed,
    share_variance,
)


def test_the_evidence_is_that_of_the_formula():
    """T14: worked out by hand for d = 0.02, V = 0.0001, tau = 0.01."""
    assert math.isclose(log_evidence(0.02, 1e-4, 0.01), 0.5 * math.log(0.5) + 1.0)
    z = 0.01 * 0.02 / math.sqrt(1e-4 * 2e-4)
    assert math.isclose(log_one_sided(0.02, 1e-4, 0.01), 0.5 * math.log(0.5) + 1.0 + math.log(2 * NormalDist().cdf(z)))


@pytest.mark.parametrize("sign", [1, -1])
def test_one_sided_evidence_is_an_average_of_likelihood_ratios(sign):
    """By numeric integration over the half-normal mixture."""
    d, variance, tau = sign * 0.01, 2e-4, 0.02
    theta = np.linspace(0, 0.3, 200_001)
    ratio = np.exp(theta * d / variance - theta**2 / (2 * variance))
    density = 2 / (tau * math.sqrt(2 * math.pi)) * np.exp(-(theta**2) / (2 * tau**2))
    assert math.isclose(log_one_sided(d, variance, tau), math.log(np.trapezoid(ratio * density, theta)), rel_tol=1e-6)


def test_evidence_without_variance_is_none():
    """T16: nothing to look at is neither pass nor fail."""
    assert log_evidence(0.5, 0.0, 0.01) == log_one_sided(0.5, 0.0, 0.01) == 0.0


def test_evidence_is_continuous_where_it_is_computed_in_another_way():
    """Far on the side of no harm, where the normal distribution underflows."""
    variance, tau = 1e-4, 0.01
    near, far = (z * math.sqrt(variance * 2e-4) / tau for z in (-19.999, -20.001))
    assert math.isclose(log_one_sided(near, variance, tau), log_one_sided(far, variance, tau), abs_tol=1e-3)
    assert log_one_sided(-1.0, 1e-9, tau) < -10
    assert log_one_sided(1.0, 1e-9, tau) > 100


def simulated(rates, share, *, runs, samples, look):
    """For each run and look: ones and counts of control and treatment, as four arrays."""
    rng = np.random.default_rng(announced_seed())
    treated = rng.random((runs, samples)) < share
    ones = rng.random((runs, samples)) < np.where(treated, rates[1], rates[0])
    at = slice(look - 1, None, look)
    return tuple(np.cumsum(which, axis=1)[:, at] for which in (ones & ~treated, ~treated, ones & treated, treated))


def alarms(counts, evidence):
    """The look at which each run finds a difference; -1 for those that find none."""
    found = []
    for run in zip(*counts, strict=True):
        look = next(
            (index for index, one in enumerate(zip(*map(list, run), strict=True)) if evidence(*map(int, one))), -1
        )
        found.append(look)
    return np.array(found)


def one_sided(k_control, n_control, k_treatment, n_treatment, alpha=0.05):
    if min(n_control, n_treatment) < 50:
        return False
    variance = share_variance(k_control + k_treatment, n_control, n_treatment)
    difference = k_treatment / n_treatment - k_control / n_control
    return log_one_sided(difference, variance, 0.01) >= -math.log(alpha)


def guarded(k_control, n_control, k_treatment, n_treatment):
    """As the guardrails do it."""
    if min(n_control, n_treatment) < 50:
        return False
    variance = share_variance(k_control + k_treatment, n_control, n_treatment)
    return log_mixed(k_treatment / n_treatment - k_control / n_control, variance, (0.01, 0.1)) >= math.log(20)


def fixed_horizon(k_control, n_control, k_treatment, n_treatment):
    pooled = (k_control + k_treatment) / (n_control + n_treatment)
    variance = pooled * (1 - pooled) * (1 / n_control + 1 / n_treatment)
    return variance > 0 and abs(k_treatment / n_treatment - k_control / n_control) / math.sqrt(variance) > 1.96


@pytest.mark.parametrize("evidence", [one_sided, guarded])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_thousand_experiments_on_equal_arms_raise_no_more_alarms_than_alpha(share, evidence):
    """H3, T14: a look each 100 of 4 000 requests, 2 % errors; and as many at a canary of 10 %."""
    counts = simulated((0.02, 0.02), share, runs=1000, samples=4000, look=100)
    false = np.mean(alarms(counts, evidence) >= 0)
    assert false <= 0.06  # alpha, and the luck of a thousand runs


def test_a_test_for_one_look_alarms_many_times_as_often_when_looked_at_again_and_again():
    """T14: why it is not used."""
    counts = simulated((0.02, 0.02), 0.5, runs=300, samples=6000, look=100)
    assert np.mean(alarms(counts, fixed_horizon) >= 0) > 0.15


@pytest.mark.parametrize("evidence", [one_sided, guarded])
@pytest.mark.parametrize(("share", "requests"), [(0.5, 2000), (0.1, 3000)])
def test_three_times_the_errors_are_found_about_as_soon_as_they_were_measured_to_be(share, requests, evidence):
    """T14: 1 % against 3 %: 2.0 k requests at equal shares, 3.0 k at 10 %; the median, and half as many more."""
    counts = simulated((0.01, 0.03), share, runs=200, samples=10_000, look=50)
    found = alarms(counts, evidence)
    assert np.mean(found >= 0) > 0.95
    assert (np.median(found[found >= 0]) + 1) * 50 < 1.5 * requests


def test_a_fair_split_is_believed_though_looked_at_after_every_unit():
    """T5, H4: 300 experiments of 3 000 units at 10 %; at p < 0.001 one alarm in all is more than to be expected."""
    rng = random.Random(announced_seed())
    false = 0
    for _ in range(300):
        count, worst = 0, 0.0
        for total in range(1, 3001):
            count += rng.random() < 0.1
            if total % 10 == 0:
                worst = max(worst, log_split(count, total, 0.1))
        false += worst >= math.log(1000)
    assert false <= 4  # a binomial(300, 0.001) is above 4 less than once in a hundred thousand


def test_a_split_that_loses_a_tenth_of_the_treatment_is_found():
    """T5, H4."""
    assert log_split(4737, 10_000, 0.5) > math.log(1000)  # 0.9 / 1.9
    assert log_split(5000, 10_000, 0.5) < 0


def test_the_split_is_a_mixture_of_likelihood_ratios():
    """Against numeric integration over the Beta density."""
    share, count, total = 0.3, 45, 100
    theta = np.linspace(1e-6, 1 - 1e-6, 400_001)
    a, b = 1000 * share, 1000 * (1 - share)
    log_density = (
        (a - 1) * np.log(theta) + (b - 1) * np.log1p(-theta) - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
    )
    ratio = count * np.log(theta / share) + (total - count) * np.log((1 - theta) / (1 - share))
    expected = math.log(np.trapezoid(np.exp(log_density + ratio), theta))
    assert math.isclose(log_split(count, total, share), expected, rel_tol=1e-6)


def test_p_values_are_at_most_one():
    assert [p_value(log_e) for log_e in (-5.0, 0.0, math.log(20))] == [1.0, 1.0, pytest.approx(0.05)]
    assert p_value(2000.0) == 0.0


def test_the_samples_needed_are_those_of_the_tables():
    """H2: shares of 0.5, a difference of 0.1, one-sided 5 % and power 80 %: 309.1 in each arm."""
    assert samples_needed(0.25, 0.1, 0.05) == 310
