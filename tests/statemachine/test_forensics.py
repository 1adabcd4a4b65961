"""Each kind of fault is named once, with its states and writers, and a clean life has none."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders import ORDER

from windlass.statemachine.forensics import examine
from windlass.statemachine.journal import Entry

AT = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)


def entry(source, target, before="", after="", *, by="a", **fields):
    return Entry(at=AT, source=source, target=target, version_before=before, version_after=after, writer=by, **fields)


CLEAN = (
    entry("New", "Reserved", "1", "2", cause="reserve"),
    entry("Reserved", "Shipped", "4", "5", cause="ship"),
    entry("Shipped", "Closed", "5", "6", cause="close", by="b"),
)


def kinds(*entries):
    return [finding.kind for finding in examine(ORDER, entries)]


def test_a_clean_life_has_no_fault():
    assert examine(ORDER, CLEAN) == ()
    assert examine(ORDER, CLEAN[1:]) == (), "a bounded journal need not begin at the beginning"
    assert examine(ORDER, ()) == ()


@pytest.mark.parametrize(
    ("entries", "finding"),
    [
        pytest.param((entry("New", "Shipped"),), "skipped: New → Shipped by a without 'Reserved'", id="skipped"),
        pytest.param((entry("New", "Closed"),), "skipped: New → Closed by a without 'Reserved', 'Shipped'", id="two"),
        pytest.param(
            (CLEAN[0], entry("Shipped", "Closed", "5", "6")),
            "skipped: Reserved → Shipped by a without a record of it",
            id="not recorded",
        ),
        pytest.param(
            (*CLEAN, entry("Closed", "New", "6", "7", by="c")),
            "illegal: Closed → New by c: 'Closed' is final",
            id="after the end",
        ),
        pytest.param((entry("Reserved", "New"),), "illegal: Reserved → New by a: no way leads there", id="no way"),
        pytest.param((entry("New", "Lost"),), "illegal: New → Lost by a: no way leads there", id="unknown state"),
        pytest.param(
            (entry("New", "Reserved", cause="ship"),),
            "illegal: New → Reserved by a under the event 'ship', but it is 'reserve'",
            id="another event",
        ),
        pytest.param(
            (*CLEAN[:2], entry("Shipped", "Reserved", "5", "6", by="b")),
            "reverted: Shipped → Reserved by b: it had been there before, and no row leads back",
            id="reverted",
        ),
        pytest.param(
            (CLEAN[0], entry("New", "Reserved", "2", "3", by="b")),
            "repeated: New → Reserved by b again, which a had made already",
            id="repeated",
        ),
        pytest.param(
            (CLEAN[0], entry("New", "Reserved", "1", "3", by="b")),
            "lost update: b wrote New → Reserved on version 1, on which a had already written New → Reserved "
            "(version 2)",
            id="on the same version",
        ),
        pytest.param(
            (*CLEAN[:2], entry("Reserved", "Shipped", "3", "6", by="b")),
            "lost update: b wrote Reserved → Shipped on version 3, on which a had already written Reserved → Shipped "
            "(version 5)",
            id="on an older version",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_named_once(entries, finding):
    assert [str(one) for one in examine(ORDER, entries)] == [finding]


def test_a_lost_update_names_both_writers_the_one_at_fault_last():
    (found,) = examine(ORDER, (CLEAN[0], entry("New", "Reserved", "1", "3", by="b")))

    assert (found.writers, found.entry.version_after) == (("a", "b"), "3")


def test_a_new_generation_is_a_new_life():
    again = (entry("Closed", "Reserved", "6", "7", generation=2), entry("Reserved", "Shipped", "7", "8", generation=2))

    assert kinds(*CLEAN, *again) == []
    assert kinds(*CLEAN, entry("Closed", "Shipped", "6", "7", generation=2)) == ["skipped"]


def test_objects_are_judged_each_by_itself():
    one = [entry("New", "Reserved", "1", "2", subject="Order one"), entry("Reserved", "Shipped", subject="Order one")]
    two = [entry("New", "Reserved", "1", "2", subject="Order two"), entry("New", "Shipped", subject="Order three")]

    assert kinds(one[0], two[0], two[1], one[1]) == ["skipped"]


@given(st.lists(st.sampled_from(ORDER.states), min_size=2, max_size=6))
def test_a_walk_has_faults_exactly_when_a_move_is_no_row(states):
    entries, version = [], 0
    for before, after in pairwise(states):
        if before != after:
            entries.append(entry(before, after, str(version), str(version + 1)))
            version += 1
    rows = {(row.source, row.target) for row in ORDER.rows}

    wrong = [one for one in entries if (one.source, one.target) not in rows]
    assert len(examine(ORDER, entries)) == len(wrong)
