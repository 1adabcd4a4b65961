"""R26, U-01: versions as big integers, or not at all."""

import pytest

from windlass.informers.versions import at_least, parse_version


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("18446744073709551616", 2**64),
        ("", None),
        ("0", None),
        ("01", None),
        ("-1", None),
        ("1a", None),
        ("²", None),
    ],
)
def test_a_version_is_a_positive_decimal(text, number):
    assert parse_version(text) == number


@pytest.mark.parametrize(
    ("seen", "wanted", "expected"),
    [("10", "9", True), ("9", "10", False), ("9", "9", True), ("x", "9", None), ("9", "", None)],
)
def test_comparing(seen, wanted, expected):
    assert at_least(seen, wanted) is expected
