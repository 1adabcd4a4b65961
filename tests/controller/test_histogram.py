"""Fixed buckets, counted cheaply."""

import pytest

from windlass.controller.histogram import Histogram


def test_buckets_are_cumulative_and_end_with_infinity():
    histogram = Histogram([0.1, 1.0])
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert histogram.count == 4
    assert histogram.total == pytest.approx(7.65)


def test_bounds_out_of_order_are_refused():
    with pytest.raises(ValueError, match="must ascend"):
        Histogram([1.0, 0.1])


def test_a_quantile_is_the_bound_of_the_bucket_it_falls_into():
    histogram = Histogram([1.0, 2.0, 4.0])
    assert histogram.quantile(0.5) is None
    for value in (0.5, 0.6, 1.5, 3.0, 9.0):
        histogram.observe(value)
    assert [histogram.quantile(share) for share in (0.0, 0.4, 0.5, 0.8, 0.99)] == [1.0, 1.0, 2.0, 4.0, float("inf")]
