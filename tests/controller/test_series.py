"""A series begins with two, is refreshed while it goes on, and ends with its last count (E7, scenario 57)."""

import pytest

from windlass.controller.correlation import REMEMBERED_MAX, Count, Create, HoldBack
from windlass.controller.series import FINISH_SECONDS, REFRESH_SECONDS, SeriesCorrelator


def event(message="m", *, uid="u-1", name="a.1", stamp="2026-08-01T12:00:00Z"):
    return {
        "metadata": {"namespace": "ns", "name": name},
        "involvedObject": {"kind": "App", "namespace": "ns", "name": "a", "uid": uid},
        "type": "Warning",
        "reason": "BackOff",
        "message": message,
        "source": {"component": "tests"},
        "reportingComponent": "tests",
        "reportingInstance": "tests-0",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


def test_the_first_occurrence_is_an_event_with_a_time_of_its_own_and_no_count():
    write = SeriesCorrelator().correlate(event(), 0.0)
    assert isinstance(write, Create)
    assert write.body["eventTime"] == "2026-08-01T12:00:00.000000Z"
    assert write.body["action"] == "BackOff"
    assert not {"series", "count", "firstTimestamp", "lastTimestamp", "source"} & set(write.body)


def test_the_second_writes_a_series_of_two_and_those_after_it_nothing():
    """E7."""
    correlator = SeriesCorrelator()
    correlator.correlate(event(), 0.0)
    second = correlator.correlate(event(name="a.2", stamp="2026-08-01T12:00:01Z"), 1.0)
    assert second == Count(
        "a.1", {"series": {"count": 2, "lastObservedTime": "2026-08-01T12:00:01.000000Z"}}, second.body
    )
    assert second.body["metadata"]["name"] == "a.1"
    assert [correlator.correlate(event(), float(n)) for n in range(2, 50)] == [HoldBack(lost=False)] * 48


def test_a_series_does_not_care_for_the_message():
    """Table 1.12: the key leaves out the note, so similar events fold by themselves."""
    correlator = SeriesCorrelator()
    correlator.correlate(event("attempt 1"), 0.0)
    assert isinstance(correlator.correlate(event("attempt 2"), 1.0), Count)


def test_a_series_that_goes_on_is_refreshed_every_half_hour():
    """E7."""
    correlator = SeriesCorrelator()
    counts = []
    for minute in range(95):
        now = minute * 60.0
        correlator.correlate(event(), now)
        counts += [(minute, write.patch["series"]["count"]) for write in correlator.due(now)]
    assert counts == [(31, 32), (61, 62), (91, 92)]
    assert REFRESH_SECONDS == 30 * 60


@pytest.mark.parametrize(("silence", "ended"), [(359.0, False), (360.0, True)])
def test_six_silent_minutes_end_a_series_with_its_last_count(silence, ended):
    """E7."""
    correlator = SeriesCorrelator()
    for n in range(5):
        correlator.correlate(event(), float(n))
    writes = correlator.due(4.0 + silence)
    assert [write.patch["series"]["count"] for write in writes] == ([5] if ended else [])
    assert len(correlator) == (0 if ended else 1)
    assert FINISH_SECONDS == 6 * 60


def test_an_event_that_stayed_alone_ends_without_a_write():
    correlator = SeriesCorrelator()
    correlator.correlate(event(), 0.0)
    assert correlator.due(400.0) == []
    assert len(correlator) == 0


def test_after_its_end_the_same_thing_is_a_new_event():
    correlator = SeriesCorrelator()
    correlator.correlate(event(), 0.0)
    again = correlator.correlate(event(name="a.2"), 360.0)
    assert isinstance(again, Create)
    assert again.body["metadata"]["name"] == "a.2"


def test_at_the_end_of_the_process_every_count_that_was_kept_back_goes_out():
    correlator = SeriesCorrelator()
    for n in range(3):
        correlator.correlate(event(), float(n))
        correlator.correlate(event(uid="u-2"), float(n))
    correlator.correlate(event(uid="alone"), 2.0)
    assert [write.patch["series"]["count"] for write in correlator.due(3.0, final=True)] == [3, 3]
    assert len(correlator) == 0


def test_the_number_of_series_is_bounded():
    correlator = SeriesCorrelator()
    for n in range(REMEMBERED_MAX + 3):
        correlator.correlate(event(uid=f"u-{n}"), 0.0)
    assert len(correlator) == REMEMBERED_MAX
