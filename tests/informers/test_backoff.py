"""Delays."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers.backoff import Backoff


def test_the_series_is_that_of_the_field():
    """R14: 800 ms doubling to 30 s."""
    assert [Backoff().floor(attempt) for attempt in range(8)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_jitter_stretches_up_to_twice():
    rng = random.Random(1)
    delays = [Backoff().delay(10, rng) for _ in range(1000)]

    assert 30.0 <= min(delays) < 31.0
    assert 59.0 < max(delays) < 60.0


@given(st.integers(0, 10**9))
def test_no_number_of_failures_overflows(attempt):
    """Q15's trap."""
    assert 0.8 <= Backoff().floor(attempt) <= 30.0


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"factor": 0.2}, "factor must be at least 1, found 0.2"),
        ({"base_seconds": 0.0}, "base_seconds must be at least 0.001, found 0.0"),
        ({"base_seconds": 3.0, "cap_seconds": 2.0}, "cap_seconds must be at least 3, found 2.0"),
        ({"jitter": float("nan")}, "jitter must be at least 0, found nan"),
    ],
)
def test_a_series_that_would_make_a_hot_loop_is_refused(series, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Backoff(**series)


def test_the_dice_are_the_callers():
    assert Backoff().delay(3, random.Random(5)) == Backoff().delay(3, random.Random(5))
