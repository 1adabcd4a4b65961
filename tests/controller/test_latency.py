"""Where the time went: six stages, bounded memory (M11)."""

from datetime import UTC, datetime

import msgspec
import pytest

from windlass.controller.latency import KEYS_MAX, RUNS_MAX, STAGES, Latency, Trace, age_of
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Added, Deleted, Updated

A = Key("ns", "a")
NOW = datetime(2026, 8, 1, 12, 0, 10, tzinfo=UTC)


def trace(number=0, **stages):
    known = {"arrival": None, "queue": 0.0, "cache": None, "run": 0.0, "write": None, "retry": None}
    return Trace(NOW, str(number), "added", 0, "success", 0, **{**known, **stages})


def make(**metadata):
    return Object.parse(msgspec.json.encode({"metadata": {"name": "a", "resourceVersion": "1", **metadata}}))


def test_each_stage_that_occurred_is_counted():
    latency = Latency()
    latency.ended(A, trace(queue=1.0, run=2.0, write=3.0), retried_from=None)
    latency.ended(A, trace(queue=1.0, run=2.0, arrival=4.0, cache=5.0, retry=6.0), retried_from=None)
    counted = {stage: (one.count, one.total) for stage, one in latency.histograms.items()}
    assert counted == {
        "arrival": (1, 4.0),
        "queue": (2, 2.0),
        "cache": (1, 5.0),
        "run": (2, 4.0),
        "write": (1, 3.0),
        "retry": (1, 6.0),
    }
    assert tuple(counted) == STAGES


def test_a_keys_last_runs_are_kept_and_no_more():
    latency = Latency()
    for number in range(RUNS_MAX + 2):
        latency.ended(A, trace(number), retried_from=None)
    assert [one.reconcile_id for one in latency.runs(A)] == ["2", "3", "4", "5"]
    assert latency.runs(Key("ns", "other")) == ()


def test_the_keys_that_ran_last_are_kept_and_no_more():
    latency = Latency()
    for number in range(KEYS_MAX):
        latency.ended(Key("ns", str(number)), trace(), retried_from=None)
    latency.ended(Key("ns", "0"), trace(), retried_from=None)
    latency.ended(Key("ns", "new"), trace(), retried_from=None)
    assert (len(latency.runs(Key("ns", "0"))), len(latency.runs(Key("ns", "1")))) == (2, 0)
    assert list(latency.latest(3)) == [Key("ns", "new"), Key("ns", "0"), Key("ns", "511")]
    assert len(latency.latest(10_000)) == KEYS_MAX


def test_the_first_change_that_woke_the_key_is_the_one_whose_age_counts():
    latency = Latency()
    latency.arrived(A, 3.0)
    latency.arrived(A, 1.0)
    assert latency.begun(A, 100.0) == (3.0, None)
    assert latency.begun(A, 100.0) == (None, None)


def test_time_spent_on_retries_counts_from_the_first_failed_run_to_the_one_that_ends_them():
    latency = Latency()
    latency.ended(A, trace(), retried_from=10.0)
    assert latency.begun(A, 11.0) == (None, 1.0)
    latency.ended(A, trace(), retried_from=11.0)
    assert latency.begun(A, 15.0) == (None, 5.0)
    latency.ended(A, trace(), retried_from=None)
    assert latency.begun(A, 20.0) == (None, None)


@pytest.mark.parametrize(
    ("change", "age"),
    [
        (Added(make(creationTimestamp="2026-08-01T12:00:07Z"), False), 3.0),
        (Added(make(creationTimestamp="2026-08-01T12:00:07Z"), True), None),
        (Added(make(), False), None),
        (Added(make(creationTimestamp="yesterday"), False), None),
        (Added(make(creationTimestamp="2026-08-01T12:00:30Z"), False), None),
        (Updated(make(), make(deletionTimestamp="2026-08-01T12:00:09Z")), 1.0),
        (Updated(make(), make(deletionTimestamp="2026-08-01T12:00:40Z")), None),
        (Updated(make(deletionTimestamp="2026-08-01T12:00:09Z"), make(deletionTimestamp="2026-08-01T12:00:09Z")), None),
        (Updated(make(), make()), None),
        (Deleted(make(creationTimestamp="2026-08-01T12:00:07Z"), True), None),
    ],
    ids=[
        "created",
        "of the first list",
        "without a time",
        "with a time that is none",
        "by a clock that is ahead",
        "deletion begun",
        "deletion with a grace period",
        "deletion begun before",
        "updated",
        "deleted",
    ],
)
def test_a_change_has_an_age_when_the_object_says_when_it_happened(change, age):
    assert age_of(change, NOW) == age
