"""The formulas, held against values that others computed, and against what they must be at their ends."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.training.gate.statistics import (
    Resampling,
    kolmogorov_smirnov,
    lower_bound,
    population_stability,
    spread_of,
)


def test_the_variance_has_n_minus_one_in_its_denominator():
    """B5."""
    found = spread_of([0.0, 0.5, 1.0])

    assert (found.mean, found.variance, found.deviation, found.variation) == (0.5, 0.25, 0.5, 1.0)
    assert spread_of([-1.0, 1.0]).variation is None


def test_the_bound_is_that_of_drawing_rows_one_by_one():
    """B7: three counts from a multinomial distribution are n rows drawn with replacement."""
    rng = np.random.default_rng(0)
    new, old = rng.random(300) < 0.9, rng.random(300) < 0.88
    differences = new.astype(int) - old.astype(int)
    drawn = differences[rng.integers(0, 300, (20_000, 300))].mean(axis=1)

    found = lower_bound(new, old, Resampling(0.95, 20_000, 1))

    assert found.difference == pytest.approx(differences.mean())
    assert found.lower == pytest.approx(np.quantile(drawn, 0.05), abs=1.01 / 300)


def test_the_bound_follows_from_the_seed():
    rng = np.random.default_rng(0)
    new, old = rng.random(101) < 0.8, rng.random(101) < 0.8
    bounds = [lower_bound(new, old, Resampling(0.95, 1000, seed)).lower for seed in (1, 1, 2, 3, 4, 5)]

    assert bounds[0] == bounds[1]
    assert len(set(bounds)) > 1


def test_equal_answers_have_no_spread():
    same = np.array([True, False, True])

    assert lower_bound(same, same, Resampling(0.95, 1000, 0)).lower == 0.0


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60), st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60))
def test_the_index_is_finite_never_negative_and_nothing_between_equals(one, other):
    first, second = np.array(one), np.array(other)

    found = population_stability(first, second, bins=10, smoothing=1e-4)

    assert math.isfinite(found)
    assert found >= 0
    assert population_stability(first, first, bins=10, smoothing=1e-4) == 0


def test_the_index_of_two_bins_is_what_the_formula_says():
    """B7: a median split, 50:50 against 80:20; (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5)."""
    reference = np.arange(10.0)
    found = np.array([0.0] * 8 + [9.0] * 2)

    assert population_stability(reference, found, bins=2, smoothing=1e-12) == pytest.approx(0.41589, abs=1e-5)


@pytest.mark.parametrize("value", [4.0, 6.0])
def test_a_constant_that_changes_either_way_is_seen(value):
    assert population_stability(np.full(300, 5.0), np.full(300, value), bins=10, smoothing=1e-4) > 1


@pytest.mark.parametrize(
    ("one", "other", "distance", "p"),
    [
        # By ks_2samp(method="exact") of scipy 1.17.1; ours is asymptotic.
        (np.arange(100) / 100, np.arange(100) / 100 + 0.155, 0.16, 0.1548),
        (np.arange(400) / 400, (np.arange(300) / 300) ** 1.2, 0.07, 0.3561),
        (np.arange(1000) / 1000, (np.arange(800) / 800) ** 1.2, 0.068, 0.0314),
        (np.arange(50.0), np.arange(50.0), 0.0, 1.0),
    ],
)
def test_the_second_test_agrees_with_a_known_implementation(one, other, distance, p):
    found = kolmogorov_smirnov(one, other)

    assert found[0] == pytest.approx(distance, abs=1e-9)
    assert found[1] == pytest.approx(p, abs=0.03)


def test_ties_count_once_on_both_sides():
    assert kolmogorov_smirnov(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]))[0] == 0.25
