"""A journal is bounded, and its entries survive being written down."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine import JournalError
from windlass.statemachine.journal import Entry, Journal, digest, from_json, lives, to_json

AT = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
WHOLE = Entry(
    at=AT, source="New", target="Reserved", cause="reserve", trace_id="t-1", writer="a", version_before="1",
    version_after="2", digest=digest({}), generation=3, subject="Order ns/one", uid="u",
)  # fmt: skip


def test_an_entry_is_plain_json_without_what_is_empty():
    assert to_json(Entry(at=AT, source="", target="New")) == {
        "at": "2026-08-01T12:00:00Z",
        "source": "",
        "target": "New",
    }
    assert to_json(WHOLE) == {
        "at": "2026-08-01T12:00:00Z", "source": "New", "target": "Reserved", "cause": "reserve", "traceId": "t-1",
        "writer": "a", "versionBefore": "1", "versionAfter": "2", "digest": digest({}), "generation": 3,
        "subject": "Order ns/one", "uid": "u",
    }  # fmt: skip


texts = st.text(max_size=5)


@given(
    st.builds(
        Entry,
        at=st.datetimes(timezones=st.just(UTC)),
        source=texts, target=texts, cause=texts, trace_id=texts, writer=texts, version_before=texts,
        version_after=texts, digest=texts, subject=texts, uid=texts, generation=st.integers(0, 9),
    )
)  # fmt: skip
def test_what_is_written_down_is_read_back(entry):
    assert from_json(to_json(entry)) == entry


def test_times_of_all_zones_are_one_time():
    entry = Entry(at=AT.astimezone(timezone(timedelta(hours=2))), source="a", target="b")

    assert to_json(entry)["at"] == "2026-08-01T12:00:00Z"
    assert from_json({"at": "2026-08-01T12:00:00", "source": "a", "target": "b"}).at == AT


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"source": "a", "target": "b"}, "at: expected a string, found nothing"),
        (
            {"at": "soon", "source": "a", "target": "b"},
            "at: expected a time such as 2026-08-01T12:00:00Z, found 'soon'",
        ),
        ({"at": "2026-08-01", "source": 1, "target": "b"}, "source: expected a string, found 1"),
        ({"at": "2026-08-01", "source": "a", "target": "b", "generation": True}, "generation: expected an integer"),
    ],
)
def test_what_is_no_entry_is_refused_by_the_field_at_fault(found, message):
    with pytest.raises(JournalError, match=message):
        from_json(found)


def test_a_full_journal_lets_the_oldest_go_and_says_how_many():
    journal = Journal(limit=2)
    for number in range(5):
        journal = journal.add(Entry(at=AT, source=str(number), target=str(number + 1)))

    assert [entry.source for entry in journal.entries] == ["3", "4"]
    assert journal.dropped == 3


def test_a_digest_is_of_the_value_not_of_how_it_is_written():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_entries_are_told_apart_by_object():
    other = Entry(at=AT, source="a", target="b", subject="Order ns/two", uid="v")

    assert lives([WHOLE, other, WHOLE]) == {("Order ns/one", "u"): [WHOLE, WHOLE], ("Order ns/two", "v"): [other]}


@pytest.mark.parametrize("found", [None, "x", 5, ["at"]])
def test_what_is_no_object_is_no_entry(found):
    with pytest.raises(JournalError, match="expected an object, found "):
        from_json(found)
