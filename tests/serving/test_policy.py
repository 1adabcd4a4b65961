"""What a model's limits and batching may be."""

import math

import msgspec
import pytest

from windlass.serving.policy import Batching, Limits


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
