"""What an attempt's object and the run's folder say together (A7, A9, A11)."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from attempts import RUN, job

from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.foreign import Left
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, Waiting, conclude, patiently
from windlass.operators.training.runfolder import Failure, Progress, TrainingResult
from windlass.operators.training.types import ChildReference

CHILD = ChildReference("batch/v1", "Job", "digits-0123456789ab-2", "job-uid")
PROGRESS = Progress(1, 3, 10, 0.5, 0.9)
RESULT = TrainingResult(RUN.id, "sha", (0, 1), PROGRESS, 1.0, RUN.op_id)
NOTHING = Left()
KNOWN = attrs.evolve(RUN, child=CHILD)
READINGS = [Waiting("x"), AtWork(), Finished(), Ended(Exit(1)), Ended(Exit(None, "Evicted"))]


@pytest.mark.parametrize("reading", [None, *READINGS], ids=repr)
def test_a_result_is_a_result_whatever_became_of_the_object(reading):
    child = None if reading is None else job()

    assert Done(RESULT) == conclude(RUN, child, reading, Left(RESULT))


@pytest.mark.parametrize("reading", [None, *READINGS], ids=repr)
def test_a_recorded_failure_is_final(reading):
    child = None if reading is None else job()

    assert Broken(Fault("Bad", "why")) == conclude(RUN, child, reading, Left(Failure("Bad", "why")))


def test_no_object_on_record_and_none_there_is_an_attempt_that_was_not_started():
    assert NotStarted() == conclude(RUN, None, None, NOTHING)


@pytest.mark.parametrize(
    ("run", "left"), [(KNOWN, Left(step=7)), (RUN, Left(begun=True, step=7))], ids=["on record", "its trainer began"]
)
def test_an_object_that_is_gone_is_lost_and_counts_against_nothing(run, left):
    found = conclude(run, None, None, left)

    assert isinstance(found, Lost)
    assert (found.counted, found.resume_step, found.exit.reason) == (False, 7, "Deleted")


def test_an_object_at_work_is_put_on_record_with_what_it_waits_for():
    assert Active(None, CHILD, "x") == conclude(RUN, job(), Waiting("x"), NOTHING)
    assert Active(PROGRESS, CHILD) == conclude(RUN, job(), AtWork(), Left(progress=PROGRESS))


def test_what_it_is_too_early_to_speak_of_is_not_told():
    early = datetime(2026, 1, 1, tzinfo=UTC)
    waiting = Waiting("x", tell_after=early + timedelta(seconds=30))

    assert patiently(waiting, early + timedelta(seconds=29)) == Waiting()
    assert patiently(waiting, early + timedelta(seconds=30)) == waiting
    assert patiently(Waiting("x"), early) == Waiting("x")
    assert patiently(Ended(Exit(1)), early) == Ended(Exit(1))


def test_progress_of_the_object_itself_goes_before_that_of_the_folder():
    own = attrs.evolve(PROGRESS, step=20)

    assert own == conclude(RUN, job(), AtWork(own), Left(progress=PROGRESS)).progress


@pytest.mark.parametrize("reading", READINGS, ids=repr)
def test_an_object_on_its_way_out_is_waited_for(reading):
    """A10: until it is gone it may write."""
    found = conclude(KNOWN, job(deletionTimestamp="2026-01-01T00:00:00Z"), reading, NOTHING)

    assert isinstance(found, Active)
    assert "is being deleted" in found.waiting


def test_an_end_is_lost_or_broken_as_its_exit_says():
    lost = conclude(RUN, job(), Ended(Exit(137)), Left(step=7))
    taken = conclude(RUN, job(), Ended(Exit(137, "Evicted")), Left(step=7))
    broken = conclude(RUN, job(), Ended(Exit(3, "", "Pod a: no disk")), NOTHING)
    late = conclude(RUN, job(), Ended(Exit(None, "DeadlineExceeded", "too slow")), NOTHING)

    assert (lost.counted, lost.resume_step, lost.exit) == (True, 7, Exit(137))
    assert (taken.counted, taken.exit.reason) == (False, "Evicted")
    assert broken.fault == Fault("TrainerFailed", "Job digits-0123456789ab-2 ended: exit code 3: Pod a: no disk")
    assert late.fault.reason == "DeadlineExceeded"


def test_success_without_a_result_is_a_failure():
    found = conclude(RUN, job(), Finished(), NOTHING)

    assert found.fault == Fault("TrainerFailed", "Job digits-0123456789ab-2 ended without writing a result")
