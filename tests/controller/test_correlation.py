"""Repeats become counts, crowds become one Event, and floods end: with numbers in place of a server and a clock."""

import pytest

from windlass.controller.correlation import (
    BURST,
    COMBINED,
    REMEMBERED_MAX,
    Count,
    CountingCorrelator,
    Create,
    HoldBack,
)


def event(message="m", *, uid="u-1", reason="R", kind="Warning", name=None, version="7", stamp="2026-08-01T12:00:00Z"):
    event.made += 1
    return {
        "metadata": {"namespace": "ns", "name": name or f"a.{event.made}"},
        "involvedObject": {"kind": "App", "namespace": "ns", "name": "a", "uid": uid, "resourceVersion": version},
        "type": kind,
        "reason": reason,
        "message": message,
        "reportingComponent": "tests",
        "reportingInstance": "tests-0",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


event.made = 0


def test_nine_distinct_messages_are_nine_events_and_from_the_tenth_on_they_are_one():
    """E1, scenario 56."""
    correlator = CountingCorrelator()
    first = [correlator.correlate(event(f"epoch {n}"), 0.0) for n in range(9)]
    tenth = correlator.correlate(event("epoch 9", name="tenth"), 1.0)
    eleventh = correlator.correlate(event("epoch 10"), 2.0)
    assert [(type(one), one.body["message"]) for one in first] == [(Create, f"epoch {n}") for n in range(9)]
    assert isinstance(tenth, Create)
    assert tenth.body["message"] == f"{COMBINED}epoch 9"
    assert isinstance(eleventh, Count)
    assert (eleventh.name, eleventh.patch["count"]) == ("tenth", 2)
    assert eleventh.patch["message"] == f"{COMBINED}epoch 10"


def test_a_message_that_was_there_before_the_crowd_keeps_its_own_event():
    """E1."""
    correlator = CountingCorrelator()
    for n in range(12):
        correlator.correlate(event(f"epoch {n}"), 0.0)
    again = correlator.correlate(event("epoch 3"), 1.0)
    assert isinstance(again, Count)
    assert (again.patch["message"], again.patch["count"]) == ("epoch 3", 2)


@pytest.mark.parametrize(("seconds", "combined"), [(600.0, True), (600.1, False)], ids=["within ten minutes", "later"])
def test_ten_minutes_of_silence_begin_a_crowd_anew(seconds, combined):
    """E1."""
    correlator = CountingCorrelator()
    for n in range(9):
        correlator.correlate(event(f"epoch {n}"), 0.0)
    later = correlator.correlate(event("epoch 9"), seconds)
    assert later.body["message"].startswith(COMBINED) is combined


@pytest.mark.parametrize(
    "other",
    [{"uid": "u-2"}, {"reason": "Other"}, {"kind": "Normal"}],
    ids=["another object", "another reason", "another type"],
)
def test_only_what_is_alike_in_all_but_the_message_is_a_crowd(other):
    """E1."""
    correlator = CountingCorrelator()
    for n in range(9):
        correlator.correlate(event(f"epoch {n}"), 0.0)
    apart = correlator.correlate(event("epoch 9", **other), 0.0)
    assert isinstance(apart, Create)
    assert apart.body["message"] == "epoch 9"


def test_an_identical_event_raises_the_count_and_moves_the_last_time():
    """E1, scenario 56; that the object was written in between does not make it another object."""
    correlator = CountingCorrelator()
    correlator.correlate(event(name="first", stamp="2026-08-01T12:00:00Z"), 0.0)
    again = correlator.correlate(event(stamp="2026-08-01T12:30:00Z", version="8"), 1800.0)
    assert again == Count(
        "first",
        {"count": 2, "lastTimestamp": "2026-08-01T12:30:00Z", "message": "m"},
        again.body,
    )
    assert again.body["metadata"]["name"] == "first"
    assert (again.body["firstTimestamp"], again.body["count"]) == ("2026-08-01T12:00:00Z", 2)


def test_the_twenty_sixth_write_about_an_object_is_held_back_and_five_minutes_bring_one_back():
    """E2, scenario 56."""
    correlator = CountingCorrelator()
    assert not any(isinstance(correlator.correlate(event(), 0.0), HoldBack) for _ in range(BURST))
    assert correlator.correlate(event(), 0.0) == HoldBack(lost=True)
    assert correlator.correlate(event(), 299.0) == HoldBack(lost=True)
    refilled = correlator.correlate(event(), 300.0)
    assert correlator.correlate(event(), 300.0) == HoldBack(lost=True)
    assert isinstance(refilled, Count)
    assert refilled.patch["count"] == BURST + 3  # those held back are counted, too


def test_one_objects_flood_does_not_hold_back_another_objects_events():
    """E2."""
    correlator = CountingCorrelator()
    for _ in range(BURST + 5):
        correlator.correlate(event(), 0.0)
    assert isinstance(correlator.correlate(event(uid="u-2"), 0.0), Create)


def test_the_first_event_after_a_flood_is_written_even_if_its_own_creation_was_held_back():
    """E2, E4: what is patched may never have been created; the body to create it with comes along."""
    correlator = CountingCorrelator()
    for _ in range(BURST):
        correlator.correlate(event(), 0.0)
    assert correlator.correlate(event("new", name="held"), 0.0) == HoldBack(lost=True)
    late = correlator.correlate(event("new"), 300.0)
    assert isinstance(late, Count)
    assert (late.name, late.body["metadata"]["name"], late.body["count"]) == ("held", "held", 2)


def test_a_correlator_remembers_a_bounded_number_of_things():
    correlator = CountingCorrelator()
    for n in range(REMEMBERED_MAX + 10):
        correlator.correlate(event(uid=f"u-{n}"), 0.0)
    assert isinstance(correlator.correlate(event(uid="u-0"), 0.0), Create)
    assert isinstance(correlator.correlate(event(uid="u-500"), 0.0), Count)
    memories = [value for value in vars(correlator).values() if hasattr(value, "popitem")]
    assert [len(memory) for memory in memories] == [REMEMBERED_MAX] * 3


def test_counts_are_written_as_they_rise_so_nothing_falls_due():
    correlator = CountingCorrelator()
    correlator.correlate(event(), 0.0)
    assert correlator.due(10_000.0, final=True) == []
