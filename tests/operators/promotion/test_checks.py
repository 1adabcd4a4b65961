"""No answer is no pass (B1), and growth is counted from the moment when the weight was reached."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.promotion.checks import Reading, baselines_of, judge
from windlass.operators.promotion.types import Baseline, MetricCheck, Series

LATENCY = MetricCheck("latency", "http://m", query="p95", at_most=0.8)
ERRORS = MetricCheck("errors", "http://m", series=Series("errors"), per=Series("requests"), at_most=0.01)
BASE = (Baseline("errors", 5.0, 1000.0),)


@pytest.mark.parametrize(
    ("check", "reading", "passed", "value"),
    [
        (LATENCY, Reading(0.5), True, 0.5),
        (LATENCY, Reading(0.8), True, 0.8),
        (LATENCY, Reading(0.81), False, 0.81),
        (attrs.evolve(LATENCY, at_most=None, at_least=0.9), Reading(0.89), False, 0.89),
        (ERRORS, Reading(6.0, 1100.0), True, 0.01),
        (ERRORS, Reading(7.0, 1100.0), False, 0.02),
        (ERRORS, Reading(1.0, 100.0), True, 0.01),
    ],
    ids=["within", "on the bound", "above", "below", "growth within", "growth above", "counters began anew"],
)
def test_a_number_is_held_against_its_bounds(check, reading, passed, value):
    verdict = judge(check, reading, BASE)

    assert (verdict.passed, verdict.value) == (passed, pytest.approx(value))


@pytest.mark.parametrize(
    ("check", "reading", "baselines"),
    [
        (LATENCY, Reading(), ()),
        (LATENCY, Reading(math.inf), ()),
        (LATENCY, Reading(error="no answer"), ()),
        (ERRORS, Reading(6.0, 1000.0), BASE),
        (ERRORS, Reading(6.0, 1100.0), ()),
        (attrs.evolve(LATENCY, at_most=None), Reading(0.5), ()),
    ],
    ids=["not a number", "infinite", "unreachable", "no traffic", "no baseline", "no bound"],
)
def test_what_gives_no_number_neither_passes_nor_has_a_value(check, reading, baselines):
    verdict = judge(check, reading, baselines)

    assert (verdict.passed, verdict.value) == (False, None)
    assert verdict.message


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_nothing_that_is_not_finite_and_within_bounds_passes(value, per):
    for check, reading in ((LATENCY, Reading(value)), (ERRORS, Reading(value, per))):
        verdict = judge(check, reading, BASE)
        if verdict.passed:
            assert math.isfinite(verdict.value)
            assert verdict.value <= check.at_most


def test_baselines_are_there_for_all_checks_that_count_growth_or_for_none():
    assert baselines_of((LATENCY, ERRORS), {"errors": Reading(5.0, 1000.0)}) == (BASE, "")
    assert baselines_of((LATENCY, ERRORS), {"errors": Reading(error="gone")}) == ((), "errors")
    assert baselines_of((ERRORS,), {}) == ((), "errors")
