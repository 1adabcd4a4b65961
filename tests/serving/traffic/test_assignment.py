"""Sticky assignment: the same everywhere, spread as the weights say, and moved no more than it has to be."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seeds import announced_seed

from windlass.serving.traffic.assignment import arm_for, point

UNITS = [f"user-{number}" for number in range(8_000)]
WEIGHTS = st.lists(st.integers(0, 100), min_size=2, max_size=5).filter(any)


def named(weights):
    return [(f"arm{index}", weight) for index, weight in enumerate(weights)]


def test_points_are_these_on_every_machine():
    """T2, T3, H5: the points as another program has them (`printf 's\\0u' | b2sum -l 64`), whatever the hash seed."""
    assert point("s", "u") == 0.9202003350141292
    assert point("digits", "user-1", "a") == 0.38579929192733303
    assert [arm_for("digits", f"user-{number}", [("a", 50), ("b", 50)]) for number in range(12)] == list("bbaaabaaabaa")


@given(WEIGHTS, WEIGHTS, st.text(max_size=20))
def test_a_unit_leaves_an_arm_only_for_one_that_grew_in_proportion_to_it(before, after, unit):
    """T4, H5: without exception and for any number of arms."""
    count = min(len(before), len(after))
    old, new = dict(named(before[:count])), dict(named(after[:count]))
    if not any(old.values()) or not any(new.values()):
        return
    left, came = arm_for("s", unit, old.items()), arm_for("s", unit, new.items())
    if left != came:
        # new[came] / new[left] > old[came] / old[left], without division by zero
        assert new[came] * old[left] > old[came] * new[left]


@pytest.mark.parametrize(("before", "after"), [(5, 10), (10, 5), (1, 99), (0, 20), (50, 50), (33, 34)])
def test_between_two_arms_exactly_the_needed_fraction_moves_and_in_one_direction(before, after):
    """T4, H5: the needed fraction up to the chance of the sample, whose bound fails less than once in 1e9 samples."""
    seed = announced_seed()
    units = [f"{seed}-{number}" for number in range(8_000)]
    old = [arm_for("s", unit, [("b", before), ("a", 100 - before)]) for unit in units]
    new = [arm_for("s", unit, [("b", after), ("a", 100 - after)]) for unit in units]
    moved = Counter((one, other) for one, other in zip(old, new, strict=True) if one != other)
    wrong = ("b", "a") if after > before else ("a", "b")
    assert moved[wrong] == 0
    needed = abs(after - before) / 100
    assert abs(sum(moved.values()) / len(units) - needed) <= 6.2 * math.sqrt(needed * (1 - needed) / len(units))


def test_between_many_arms_no_more_moves_than_the_bound():
    """T4: at most 2d/(1+d) where d is the needed fraction; here the exact expectation is known, too."""
    rng = random.Random(announced_seed())
    for _ in range(2):
        before, after = ([rng.randint(1, 60) for _ in range(4)] for _ in range(2))
        p, q = ([weight / sum(weights) for weight in weights] for weights in (before, after))
        needed = sum(max(0.0, b - a) for a, b in zip(p, q, strict=True))
        stays = sum(1 / sum(max(p[j] / p[i], q[j] / q[i]) for j in range(4)) for i in range(4))
        moved = sum(arm_for("s", u, named(before)) != arm_for("s", u, named(after)) for u in UNITS) / len(UNITS)
        spread = 6.2 * math.sqrt(stays * (1 - stays) / len(UNITS))
        assert 1 - stays <= 2 * needed / (1 + needed) + 1e-12
        assert abs(moved - (1 - stays)) <= spread


def test_an_arm_of_weight_0_that_comes_moves_nobody():
    """T4."""
    two, three = [("a", 60), ("b", 40)], [("new", 0), ("a", 60), ("b", 40)]
    assert [arm_for("s", unit, two) for unit in UNITS[:2000]] == [arm_for("s", unit, three) for unit in UNITS[:2000]]


def test_weights_count_in_proportion():
    """T1."""
    for unit in UNITS[:2000]:
        assert arm_for("s", unit, [("a", 1), ("b", 3)]) == arm_for("s", unit, [("a", 25), ("b", 75)])


@pytest.mark.parametrize("weight", [1, 5, 50])
def test_units_are_spread_as_the_weights_say(weight):
    """T5: chi-squared with one degree of freedom over 1e5 ids; 37 is a p-value of 1e-9."""
    seed, total = announced_seed(), 100_000
    found = sum(
        arm_for("s", f"{seed}/{number}", [("b", weight), ("a", 100 - weight)]) == "b" for number in range(total)
    )
    expected = total * weight / 100
    chi_squared = (found - expected) ** 2 / expected + (found - expected) ** 2 / (total - expected)
    assert chi_squared < 37


@pytest.mark.parametrize(("one", "other"), [("exp-a", "exp-b"), ("model1", "model2"), ("aaaa", "aaab")])
def test_the_assignments_of_two_salts_are_independent(one, other):
    """T2: the salts of equal length for which CRC-32 gives 0.000 or 1.000 instead of 0.100."""
    tenth = [("b", 10), ("a", 90)]
    chosen = [unit for unit in UNITS if arm_for(one, unit, tenth) == "b"]
    both = sum(arm_for(other, unit, tenth) == "b" for unit in chosen) / len(chosen)
    assert abs(both - 0.1) < 6.2 * math.sqrt(0.09 / len(chosen))
