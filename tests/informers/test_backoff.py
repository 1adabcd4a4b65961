"""Delays."""

import random

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


def test_the_dice_are_the_callers():
    assert Backoff().delay(3, random.Random(5)) == Backoff().delay(3, random.Random(5))
