"""Counting, against numpy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.experiments.tally import Moments

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50)


@given(NUMBERS)
def test_mean_and_variance_are_those_of_all_numbers(numbers):
    moments = Moments()
    for number in numbers:
        moments = moments.and_one(number)
    assert moments.n == len(numbers)
    assert np.isclose(moments.mean, np.mean(numbers), atol=1e-6)
    assert np.isclose(moments.variance, np.var(numbers, ddof=1), rtol=1e-6, atol=1e-4)


def test_fewer_than_two_numbers_have_no_variance():
    assert Moments().variance == Moments().and_one(3.0).variance == 0.0
