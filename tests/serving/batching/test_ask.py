"""What a client may wish for in the headers of its request."""

import pytest

from windlass.serving.batching.ask import Ask, ask, with_parameters
from windlass.serving.errors import BadRequest


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Ask(160.0, 0, 100.0)),
        ({"X-Request-Timeout-Ms": "1500"}, Ask(101.5, 0, 100.0)),
        ({"X-Request-Timeout-Ms": "999999"}, Ask(160.0, 0, 100.0)),
        ({"X-Request-Priority": "9"}, Ask(160.0, 9, 100.0)),
    ],
)
def test_a_timeout_can_be_shortened_but_not_lengthened(headers, expected):
    """DB18."""
    assert ask(headers, 100.0, timeout_seconds=60.0) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "1e3", " 5", "5 ", "+5", "1_0", "\u0665", "nan", "9" * 50])
def test_what_is_not_a_number_of_milliseconds_is_refused(text):
    expected = r"^X-Request-Timeout-Ms: expected a whole number from 1 to 1000000000000, found '"
    with pytest.raises(BadRequest, match=expected):
        ask({"X-Request-Timeout-Ms": text}, 0.0, timeout_seconds=60.0)


@pytest.mark.parametrize("text", ["10", "-1", "high"])
def test_a_priority_is_a_digit(text):
    with pytest.raises(BadRequest, match=r"^X-Request-Priority: expected a whole number from 0 to 9, found '"):
        ask({"X-Request-Priority": text}, 0.0, timeout_seconds=60.0)


@pytest.mark.parametrize(
    ("parameters", "deadline", "priority"),
    [
        ({}, 160.0, 5),
        ({"timeout": 1_500_000}, 101.5, 5),
        ({"timeout": 10**12}, 160.0, 5),
        ({"timeout": 0, "priority": 0}, 160.0, 5),
        ({"priority": 1}, 160.0, 9),
        ({"priority": 9}, 160.0, 1),
        ({"priority": 10}, 160.0, 0),
        ({"priority": 2**63 - 1}, 160.0, 0),
        ({"else": "x"}, 160.0, 5),
    ],
)
def test_parameters_mean_what_they_mean_to_triton(parameters, deadline, priority):
    """DB18: microseconds from the request's arrival; 1 is the most urgent, 0 asks for nothing."""
    assert with_parameters(Ask(160.0, 5, 100.0), parameters) == Ask(deadline, priority, 100.0)


@pytest.mark.parametrize("value", [-1, 1.5, True, "100", 2**63])
@pytest.mark.parametrize("name", ["timeout", "priority"])
def test_a_parameter_that_is_no_number_of_its_kind_is_refused(name, value):
    with pytest.raises(BadRequest, match=rf"^parameters: {name}: expected a whole number .*found '"):
        with_parameters(Ask(), {name: value})
