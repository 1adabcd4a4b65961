"""Whoever lists and watches a replay hears each recorded event once, in order, whenever it asks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import FIRST, PATH, recorded, widget

from windlass.benchmarks.replay.answers import Answers
from windlass.benchmarks.replay.recording import blank, stamp_of


def unchunked(data):
    """The lines of a body in HTTP's chunks, each of which is one line."""
    lines = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        lines.append(rest[: int(size, 16)])
        assert lines[-1].endswith(b"\n")
        assert rest[int(size, 16) :].startswith(b"\r\n")
        data = rest[int(size, 16) + 2 :]
    return lines


def listed(answers, **query):
    return json.loads(answers.document(PATH, query))


@given(st.integers(0, 12), st.integers(1, 14))
def test_pages_of_any_size_are_together_the_recorded_list(items, limit):
    answers = Answers(recorded(items=items))
    found, token = [], ""
    while True:
        page = listed(answers, limit=str(limit), **{"continue": token})
        assert page["kind"] == "WidgetList"
        assert page["metadata"]["resourceVersion"] == str(FIRST)
        assert len(page["items"]) <= limit
        found += page["items"]
        token = page["metadata"]["continue"]
        if not token:
            break

    assert found == [json.loads(widget(f"w{number}", number)) for number in range(items)]


def test_a_list_of_version_0_is_whole_whatever_the_limit():
    assert len(listed(Answers(recorded()), resourceVersion="0", limit="1")["items"]) == 3


def test_items_are_the_recorded_bytes():
    recording = recorded()

    assert all(item in Answers(recording).document(PATH, {}) for item in recording.items)


def test_discovery_is_what_was_recorded_and_all_else_is_unknown():
    answers = Answers(recorded())

    assert answers.document("/version", {}) == b'{"major":"1"}'
    assert answers.document("/version/", {}) == b'{"major":"1"}'
    assert answers.document("/api", {}) is None


def test_an_event_is_sent_as_it_was_recorded_but_for_its_stamp():
    recording = recorded()
    answers = Answers(recording)
    (line,) = unchunked(answers.stamped(12_345))

    assert line == recording.events[0].replace(blank().encode(), stamp_of(12_345))


@given(st.data())
def test_a_watch_hears_each_event_after_its_version_once_with_its_first_stamp_however_late_it_comes(data):
    count = data.draw(st.integers(1, 8))
    answers = Answers(recorded(events=count))
    sent = data.draw(st.integers(0, count))
    since = data.draw(st.integers(0, count))
    told = [line for moment in range(sent) for line in unchunked(answers.stamped(moment))]
    heard = unchunked(answers.opening({"resourceVersion": str(FIRST + since)}))
    rest = [line for moment in range(sent, count) for line in unchunked(answers.stamped(moment))]

    assert heard == told[since:]
    versions = [json.loads(line)["object"]["metadata"]["resourceVersion"] for line in told + rest]
    assert versions == [str(FIRST + number) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("query", "bookmarks"),
    [
        ({}, 0),
        ({"resourceVersion": "0"}, 0),
        ({"resourceVersion": str(FIRST), "sendInitialEvents": "true"}, 1),
    ],
    ids=["unset", "any", "streaming-list"],
)
def test_a_watch_that_asks_for_the_present_state_gets_it_first(query, bookmarks):
    answers = Answers(recorded())
    answers.stamped(1)
    events = [json.loads(line) for line in unchunked(answers.opening(query))]

    assert [event["type"] for event in events] == ["ADDED"] * 3 + ["BOOKMARK"] * bookmarks + ["MODIFIED"]
    for bookmark in events[3 : 3 + bookmarks]:
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(FIRST)


def test_a_watch_from_an_unknown_version_is_expired():
    (line,) = unchunked(Answers(recorded()).opening({"resourceVersion": "3"}))
    event = json.loads(line)

    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_the_closing_bookmark_bears_the_version_of_the_last_event_sent():
    answers = Answers(recorded(events=3))
    for moment in range(2):
        answers.stamped(moment)
    (line,) = unchunked(answers.closing_bookmark())

    assert json.loads(line)["object"]["metadata"]["resourceVersion"] == str(FIRST + 2)
