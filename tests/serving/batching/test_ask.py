"""What a client may wish for in the headers of its request."""

import pytest

from windlass.serving.batching.ask import Ask, ask
from windlass.serving.errors import BadRequest


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Ask(160.0, 0)),
        ({"X-Request-Timeout-Ms": "1500"}, Ask(101.5, 0)),
        ({"X-Request-Timeout-Ms": "999999"}, Ask(160.0, 0)),
        ({"X-Request-Priority": "9"}, Ask(160.0, 9)),
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
