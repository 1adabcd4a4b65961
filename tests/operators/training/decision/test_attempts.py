"""The records of attempts, and the pauses between them (A8, A9, G5)."""

from datetime import UTC, datetime, timedelta

import attrs
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.training.decision.attempts import close_attempt, latest, open_attempt, pause
from windlass.operators.training.types import ATTEMPTS_LENGTH_MAX, Retries, RunStatus, TrainingJobStatus

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = RunStatus("run", 1, "softmax", "op-1", attempt=1, failures=0, started_at=AT, resumed_from_step=40)
EXACT = Retries(jitter=0)


def test_an_attempt_is_opened_with_the_step_it_resumes_from_and_closed_with_why():
    opened = open_attempt(TrainingJobStatus(), RUN, at=AT)
    closed = close_attempt(opened, "Lost", "killed", at=AT + timedelta(seconds=9.5), counted=True)

    assert (*attrs.astuple(opened.attempts[0])[:4], opened.attempts[0].finished_at) == (1, "op-1", AT, 40, None)
    assert opened.run is RUN
    found = latest(closed)
    assert (found.outcome, found.message, found.counted) == ("Lost", "killed", True)
    assert found.finished_at == AT + timedelta(seconds=9)


def test_an_attempt_ends_once():
    closed = close_attempt(open_attempt(TrainingJobStatus(), RUN, at=AT), "Lost", "killed", at=AT)

    assert closed == close_attempt(closed, "Cancelled", at=AT + timedelta(hours=1))


def test_there_is_nothing_to_close_before_the_first_attempt():
    assert TrainingJobStatus() == close_attempt(TrainingJobStatus(), "Cancelled", at=AT)


def test_the_oldest_records_go_first():
    status = TrainingJobStatus()
    for number in range(1, ATTEMPTS_LENGTH_MAX + 5):
        status = open_attempt(status, attrs.evolve(RUN, attempt=number), at=AT)

    assert [one.number for one in status.attempts] == list(range(5, ATTEMPTS_LENGTH_MAX + 5))


def test_pauses_double_up_to_the_longest():
    pauses = [pause(EXACT, "run", failures).total_seconds() for failures in range(1, 8)]

    assert pauses == [10, 20, 40, 80, 160, 320, 360]


def test_jitter_follows_from_run_and_failure_and_differs_between_them():
    retries = Retries()

    assert pause(retries, "run", 1) == pause(retries, "run", 1)
    assert len({pause(retries, run, failures) for run in ("a", "b", "c") for failures in (1, 2, 3)}) == 9


@given(st.text(max_size=8), st.integers(1, 10**6), st.floats(0, 1), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_pause_is_never_longer_than_the_longest_nor_shorter_than_jitter_allows(run, failures, jitter, base, maximum):
    retries = Retries(base=timedelta(seconds=base), maximum=timedelta(seconds=maximum), jitter=jitter)
    whole = pause(attrs.evolve(retries, jitter=0.0), run, failures)

    found = pause(retries, run, failures)

    tick = timedelta(microseconds=1)  # what a timedelta rounds to
    assert whole * (1 - jitter) - tick <= found <= min(whole, retries.maximum) + tick
