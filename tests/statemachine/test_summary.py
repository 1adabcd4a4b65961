"""CA-5: the worst news first, and nothing good is said that is not known."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine import Condition, Conditions
from windlass.statemachine.summary import Summary

NOW = datetime(2026, 8, 1, tzinfo=UTC)
READY = Summary("Ready", ("Database", "Network", "Stalled"), negative=("Stalled",))


def conditions(generation=2, **statuses):
    found = Conditions()
    for name, status in statuses.items():
        one = Condition(name, status, f"{name}{status}", f"{name} says {status}", observed_generation=generation)
        found = found.set(one, now=NOW)
    return found


def summed(found, generation=2):
    one = READY.condition(found, generation=generation)
    return one.status, one.reason, one.message


def test_all_well_is_true_without_a_list():
    assert summed(conditions(Database="True", Network="True", Stalled="False")) == ("True", "InfoReported", "")


def test_one_issue_speaks_for_itself_and_outweighs_what_is_unknown():
    found = conditions(Database="False", Network="Unknown", Stalled="False")

    assert summed(found) == ("False", "DatabaseFalse", "Database says False")


def test_several_issues_are_listed_and_bad_news_that_is_true_is_one():
    found = conditions(Database="False", Network="True", Stalled="True")

    assert summed(found) == ("False", "IssuesReported", "Database: Database says False\nStalled: Stalled says True")


def test_what_is_absent_or_stale_is_unknown():
    """C-20, C-25."""
    message = "Network: not reported yet\nStalled: not reported yet"
    assert summed(conditions(Database="True")) == ("Unknown", "UnknownReported", message)
    assert summed(conditions(1, Database="False", Network="True", Stalled="False"))[0] == "Unknown"


def test_the_summary_is_of_the_generation_that_was_judged():
    assert READY.condition(Conditions(), generation=7).observed_generation == 7


@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(["True", "False", "Unknown"]) for name in READY.of}))
def test_the_summary_is_true_exactly_when_everything_is_well(statuses):
    status, _, _ = summed(conditions(**statuses))
    wrong = [name for name, found in statuses.items() if found == ("True" if name == "Stalled" else "False")]
    unknown = [name for name in READY.of if statuses.get(name, "Unknown") == "Unknown"]

    assert status == ("False" if wrong else "Unknown" if unknown else "True")


@pytest.mark.parametrize("generation", [2, 3])
def test_a_summary_that_is_already_so_changes_nothing(generation):
    """C-14."""
    found = conditions(generation, Database="True", Network="True", Stalled="False")
    once = found.set(READY.condition(found, generation=generation), now=NOW)

    assert once.set(READY.condition(once, generation=generation), now=datetime(2027, 1, 1, tzinfo=UTC)) is once
