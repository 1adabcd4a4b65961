"""How long a failed key waits."""

import pytest

from windlass.controller.retries import KEY_BACKOFF, TokenBucket


def test_backoff_of_a_key_doubles_from_five_milliseconds_up_to_a_thousand_seconds():
    """Q15."""
    assert [KEY_BACKOFF.floor(failures) for failures in range(4)] == pytest.approx([0.005, 0.01, 0.02, 0.04])
    assert KEY_BACKOFF.floor(17) == pytest.approx(655.36)
    assert KEY_BACKOFF.floor(18) == 1000.0


@pytest.mark.parametrize("failures", [64, 65, 1000, 10**9])
def test_backoff_does_not_overflow_for_many_failures(failures):
    """Q15, scenario 9."""
    assert KEY_BACKOFF.floor(failures) == 1000.0


def test_the_bucket_makes_the_kth_of_a_burst_wait_in_proportion():
    """Q17: 10/s and a burst of 100: the k-th waits (k-100)/10 s, the ten-thousandth 16.5 minutes."""
    bucket = TokenBucket(rate=10, burst=100)
    waits = [bucket.reserve(0.0) for _ in range(10_000)]
    assert waits[:100] == [0.0] * 100
    assert waits[100] == pytest.approx(0.1)
    assert waits[199] == pytest.approx(10.0)
    assert waits[-1] == pytest.approx(990.0)


def test_the_bucket_refills_with_time_up_to_its_burst():
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.reserve(0.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.5])
    assert [bucket.reserve(1000.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.5])


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_without_rate_or_burst_is_refused(rate, burst):
    with pytest.raises(ValueError, match="expects rate > 0 and burst >= 1"):
        TokenBucket(rate=rate, burst=burst)
