"""What a job's statuses say of its past, bar by bar."""

import sys
from pathlib import Path

import attrs
from training_jobs import DATA, FAULT, PROGRESS, edited, new_job, with_new_spec, write

from windlass.operators.training.executors.contract import Active, Broken, Lost
from windlass.operators.training.timeline.history import history_of

sys.path.insert(0, str(Path(__file__).parent))

from lives import BORN, at, born, gated, on, promoted


def lasted(row):
    return [((bar.start - BORN).total_seconds(), (bar.end - BORN).total_seconds()) for bar in row.bars]


def by_name(rows):
    return {row.name: row for row in rows}


def test_every_phase_lasts_from_its_entry_to_the_next_one():
    history = history_of(gated())

    assert {row.name: lasted(row) for row in history.phases} == {
        "Pending": [(0, 1)],
        "VerifyingData": [(1, 3)],
        "Queued": [(3, 9)],
        "Running": [(9, 121)],
        "Validating": [(121, 157)],
        "Publishing": [(157, 158)],
        "Carding": [(158, 159)],
        "Succeeded": [(159, 159)],
    }
    assert (history.start, history.end, history.phase) == (BORN, at(159), "Succeeded")
    assert not any(bar.open for row in history.phases for bar in row.bars)


def test_each_attempt_is_a_row_with_its_end_and_the_step_it_resumed_from():
    """A counted loss is followed by a pause, so the second attempt may not begin at once (A9)."""
    first, second = history_of(gated()).attempts

    assert (lasted(first), first.bars[0].tone, first.note) == ([(9, 64)], "bad", "lost")
    ((start, end),) = lasted(second)
    assert (64 < start <= 75, end, second.bars[0].tone, second.note) == (True, 121, "working", "from step 40")
    assert (first.name, second.name) == ("attempt 1", "attempt 2")


def test_an_attempt_that_may_not_begin_yet_has_a_bar_of_no_length():
    job = on(on(on(born(), 1), 3, data=DATA), 9)
    job = on(job, 20, observation=Lost("it was killed", counted=True, resume_step=2))

    bar = history_of(job).attempts[-1].bars[0]

    assert (bar.start, bar.end, bar.open) == (at(20), at(20), True)


def test_a_suspension_halts_the_phase_and_the_attempt():
    job = on(on(on(born(), 1), 3, data=DATA), 9)
    job = on(edited(job, suspend=True), 19)  # what was edited is noted down first
    job = on(job, 20, observation=Active(None), halted=True)
    history = history_of(job)

    assert lasted(by_name(history.phases)["Suspended"]) == [(20, 20)]
    assert by_name(history.phases)["Suspended"].bars[0].tone == "halted"


def test_what_goes_on_ends_at_the_last_moment_on_record_and_is_open():
    """No present moment comes in: the same status has the same history for ever."""
    job = on(on(on(born(), 1), 3, data=DATA), 9)

    running = by_name(history_of(job).phases)["Running"]

    assert (lasted(running), running.bars[0].open) == ([(9, 9)], True)
    assert history_of(job) == history_of(job)


def test_a_job_that_was_only_made_is_pending_since_then():
    (row,) = history_of(born()).phases

    assert (row.name, lasted(row), row.bars[0].open) == ("Pending", [(0, 0)], True)


def test_a_job_of_which_no_time_is_known_has_no_history():
    assert history_of(new_job()) is None


def test_a_failure_says_why_and_the_attempt_is_bad():
    job = on(on(on(on(born(), 1), 3, data=DATA), 9), 30, observation=Broken(FAULT))
    history = history_of(job)

    assert history.facts[-1] == "SomeReason: what happened"
    assert history.attempts[0].bars[0].tone == "bad"
    assert by_name(history.phases)["Failed"].bars[0].tone == "bad"


def test_a_new_generation_begins_a_history_of_its_own():
    job = with_new_spec(gated())
    again = on(on(job, 500, discarded=frozenset({job.status.run.id})), 502, data=DATA)

    history = history_of(again)

    assert [row.name for row in history.phases] == ["VerifyingData", "Queued"]
    assert (history.start, history.generation) == (at(500), 2)


def test_checks_stand_in_the_order_in_which_they_were_made_with_what_they_took():
    history = history_of(gated())

    assert [(one.name, one.outcome, one.seconds, one.required) for one in history.checks] == [
        ("robust", "Passed", 2.25, True),
        ("steady", "Passed", 31.0, True),
        ("same-data", "Failed", 0.0, False),
    ]
    assert history.verdict == "3 checks, 2 required, passed"


def test_weights_stand_at_the_times_when_the_target_was_seen_to_have_them():
    history = history_of(gated(), promoted())

    assert [(level.at, level.weight) for level in history.levels] == [(at(170), 10), (at(213), 50), (at(255), 100)]
    assert history.end == at(256)
    assert lasted(history.promotion)[-1] == (256, 256)


def test_a_write_to_the_target_that_nobody_saw_arrive_is_no_weight():
    promotion = promoted()
    *before, last = promotion.status.operations
    operations = (*before, attrs.evolve(last, finished_at=None))
    promotion = attrs.evolve(promotion, status=attrs.evolve(promotion.status, operations=operations))

    assert [level.weight for level in history_of(gated(), promotion).levels] == [10, 50]


def test_progress_alone_changes_no_history():
    job = write(write(write(new_job(creation_timestamp=BORN)), data=DATA))
    before = history_of(job)

    assert history_of(write(job, observation=Active(PROGRESS))) == before
