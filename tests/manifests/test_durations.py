"""Durations as Go writes them."""

from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers import structure
from windlass.informers.errors import StructureError
from windlass.manifests import faults, schema_of
from windlass.manifests.durations import format_duration, parse_duration


@attrs.frozen
class Pause:
    length: timedelta


SCHEMA = schema_of(Pause)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=1), "1h0m0s"),
        (timedelta(days=7, seconds=1), "168h0m1s"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(microseconds=1), "0.000001s"),
        (-timedelta(minutes=2), "-2m0s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(duration, text):
    assert format_duration(duration) == text
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1h30m", 5400), ("1.5h", 5400), ("90s", 90), ("250ms", 0.25), ("30µs", 0.00003)]
)
def test_other_spellings_of_go_are_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert faults({"length": text}, SCHEMA) == []


@pytest.mark.parametrize("text", ["", "1", "h", "1d", "1h 30m", "1h\n", "1,5s", "9999999h", "--1s"])
def test_what_is_no_duration_is_refused_by_class_and_schema(text):
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)
    assert faults({"length": text}, SCHEMA)


def test_the_error_says_what_was_expected():
    with pytest.raises(StructureError, match=r"\$\.length: expected a duration such as 1h30m or 1\.5s, found 90"):
        structure({"length": 90}, Pause)


@given(st.timedeltas(-timedelta(days=30_000), timedelta(days=30_000)))
def test_reading_undoes_writing_and_the_schema_lets_it_in(duration):
    text = format_duration(duration)

    assert parse_duration(text) == duration
    assert faults({"length": text}, SCHEMA) == []
