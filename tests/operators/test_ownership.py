"""What is on record as another's is left alone, and an operator that is gone holds nothing for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from windlass.operators.ownership import PATIENCE, belongs_to_another, seconds_left_to_another, told_elsewhere

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("recorded", "another"), [("", False), ("mine", False), ("theirs", True)])
def test_what_has_no_name_is_anybodys(recorded, another):
    assert belongs_to_another(recorded, "mine") is another


def test_another_has_a_minute_from_the_deletion():
    assert timedelta(seconds=60) == PATIENCE
    assert [seconds_left_to_another(NOW, NOW + timedelta(seconds=past)) for past in (0, 59, 60, 61)] == [60, 1, 0, -1]
    assert seconds_left_to_another(None, NOW) == 0


def test_each_pair_of_operators_is_told_of_once():
    told = told_elsewhere("job", "theirs", "mine")

    assert told.dedupe == "elsewhere/theirs/mine"
    assert told.message.startswith("the operator theirs works this job, so mine leaves it alone: ")
