"""What a model's limits and batching may be."""

import math

import msgspec
import pytest

from windlass.serving.policy import Batching, Isolation, Limits


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        (Batching, {"rows_max": 0}, "rows_max: expected at least 1, found 0"),
        (Batching, {"delay_seconds": -1.0}, "delay_seconds: expected at least 0, found -1.0"),
        (Batching, {"delay_seconds": math.nan}, "delay_seconds: expected at least 0, found nan"),
        (Batching, {"executions_max": 0}, "executions_max: expected at least 1, found 0"),
        (
            Batching,
            {"rows_max": 8, "rows_preferred": (4, 9)},
            r"rows_preferred: expected sizes from 1 to rows_max \(8\), found 9",
        ),
        (
            Batching,
            {"latency_goal_seconds": 0.0},
            "latency_goal_seconds: expected a finite number above 0, found 0.0",
        ),
        (
            Batching,
            {"latency_goal_seconds": math.nan},
            "latency_goal_seconds: expected a finite number above 0, found nan",
        ),
        (
            Batching,
            {"latency_goal_seconds": 0.1, "delay_seconds": 0.06},
            r"delay_seconds: expected at most half of latency_goal_seconds \(0.1\), found 0.06",
        ),
        (Limits, {"requests_max": 0}, "requests_max: expected at least 1, found 0"),
        (Limits, {"rows_max": 0}, "rows_max: expected at least 1, found 0"),
        (Limits, {"bytes_max": 0}, "bytes_max: expected at least 1, found 0"),
        (Limits, {"timeout_seconds": 0.0}, "timeout_seconds: expected more than 0, found 0.0"),
        (Limits, {"head_start_seconds": -1.0}, "head_start_seconds: expected at least 0, found -1.0"),
    ],
)
def test_a_wrong_value_is_named_however_it_is_given(kind, fields, why):
    with pytest.raises(ValueError, match=f"^{why}$"):
        kind(**fields)
    if "nan" not in why:  # which JSON cannot say
        with pytest.raises(msgspec.ValidationError, match=f"^{why}$"):
            msgspec.json.decode(msgspec.json.encode(fields), type=kind)


@pytest.mark.parametrize("kind", [Batching, Limits])
def test_a_field_that_is_not_known_is_refused(kind):
    with pytest.raises(msgspec.ValidationError, match="rows_maximum"):
        msgspec.json.decode(b'{"rows_maximum": 1}', type=kind)


@pytest.mark.parametrize(("age", "allowed"), [(0, 25), (10, 50), (20, 75), (29.9, 99), (30, 100), (1e9, 100)])
def test_a_slow_start_allows_more_from_second_to_second(age, allowed):
    """W6."""
    assert Limits(requests_max=100, slow_start_seconds=30).requests_at(age) == allowed


def test_a_slow_start_allows_at_least_one_and_without_one_all():
    assert Limits(requests_max=1, slow_start_seconds=30).requests_at(0) == 1
    assert Limits(requests_max=7).requests_at(0) == 7


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"execution_seconds": 0}, "execution_seconds: expected more than 0, found 0"),
        ({"start_seconds": float("inf")}, "start_seconds: expected more than 0, found inf"),
        ({"backoff_seconds": -1}, "backoff_seconds: expected at least 0, found -1"),
        ({"backoff_seconds": 9, "backoff_seconds_max": 3}, r"expected at least backoff_seconds \(9\), found 3"),
        ({"memory_bytes_max": 0}, "memory_bytes_max: expected at least 1, found 0"),
    ],
)
def test_an_isolation_that_cannot_be_meant_is_refused(fields, why):
    with pytest.raises(ValueError, match=why):
        Isolation(**fields)
