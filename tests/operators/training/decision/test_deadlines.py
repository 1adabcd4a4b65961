"""Deadlines of training, and how long a job outlives its end, by the times on record (A12, G5, G6)."""

from datetime import timedelta

import attrs
import pytest
from training_jobs import NOW, PROGRESS, RESULT, RUN, condition, edited, facts, failed, job_in, write

from windlass.operators.training import decision as d
from windlass.operators.training.decision import current_phase, decide
from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.queues.places import Admitted

SOON = NOW.replace(microsecond=0) + timedelta(seconds=1)  # the second from which time is counted


def limited(phase="Running", **spec):
    """A job with limits of its own, which the status has been told of."""
    return write(edited(job_in(phase), **spec))


def at(job, moment, **seen):
    return decide(job, attrs.evolve(facts(**seen), now=moment))


@pytest.mark.parametrize("seen", [Active(), NotStarted(), Lost("killed", counted=True)])
def test_a_training_that_takes_too_long_is_halted_and_fails_the_job(seen):
    job = limited(active_deadline_seconds=60)
    late = SOON + timedelta(seconds=60)

    assert d.Halt(for_good=True) == at(job, late, observation=seen)
    job = attrs.evolve(job, status=at(job, late, observation=seen, halted=True).status)

    assert (current_phase(job), condition(job, "Trained").reason) == ("Failed", "DeadlineExceeded")
    assert condition(job, "Succeeded").message == "training took longer than 60 s"
    assert job.status.attempts[-1].outcome == "Failed"


def test_a_training_is_looked_at_when_its_time_is_over_and_not_later():
    job = limited(active_deadline_seconds=60)

    assert d.Wait(5.0) == at(job, SOON, observation=Active())
    assert d.Wait(0.25) == at(job, SOON + timedelta(seconds=59.75), observation=Active())


@pytest.mark.parametrize("seen", [Active(held=True, waiting="in a queue"), NotStarted()], ids=["held", "not made yet"])
def test_no_time_passes_while_somebody_else_has_the_training_in_a_queue(seen):
    """A12: the clock starts when it is let go on, as after a suspension of its own."""
    job = limited("Queued", active_deadline_seconds=60)
    job = write(job, place=Admitted("kueue.x-k8s.io/team"))
    late = SOON + timedelta(hours=1)

    assert isinstance(at(job, late, observation=seen), d.Write | d.Wait | d.Start)
    let_go = attrs.evolve(job, status=at(job, late, observation=Active(PROGRESS)).status)

    assert (job.status.run.queue, job.status.run.held, let_go.status.run.held) == ("kueue.x-k8s.io/team", True, False)
    assert d.Wait(0.25) == at(let_go, late + timedelta(seconds=59.75), observation=Active(PROGRESS))
    assert d.Halt(for_good=True) == at(let_go, late + timedelta(seconds=60), observation=Active(PROGRESS))


def test_a_pause_between_attempts_ends_with_the_deadline_too():
    job = write(limited(active_deadline_seconds=3), observation=Lost("killed", counted=True))

    assert d.Wait(3.0) == at(job, SOON, observation=NotStarted())


@pytest.mark.parametrize(("seen", "phase"), [(Done(RESULT), "Validating"), (Broken(Fault("Why", "so")), "Failed")])
def test_a_training_that_came_to_its_end_is_not_late_however_late_that_is_seen(seen, phase):
    """The controller was away meanwhile."""
    job = limited(active_deadline_seconds=60)

    status = at(job, SOON + timedelta(hours=1), observation=seen).status

    assert phase == status.phase
    assert "DeadlineExceeded" not in {one.reason for one in status.conditions}


def test_the_clock_starts_anew_when_a_suspended_job_goes_on():
    """A12: as that of a Job or a TrainJob does."""
    job = write(limited(active_deadline_seconds=60, suspend=True), observation=Active(PROGRESS), halted=True)
    job = write(write(edited(job, suspend=False)))  # Queued
    later = NOW + timedelta(hours=3)

    job = attrs.evolve(job, status=at(job, later, place=Admitted()).status)

    assert current_phase(job) == "Running"
    assert later <= job.status.run.active_since <= later + timedelta(seconds=1)
    assert not isinstance(at(job, later, observation=Active(), released=True), d.Halt)


def test_a_deadline_that_is_set_while_training_holds_at_once():
    job = write(edited(job_in("Running"), active_deadline_seconds=1))

    assert isinstance(at(job, SOON + timedelta(seconds=1), observation=Active()), d.Halt)


@pytest.mark.parametrize("job", [job_in("Succeeded"), failed()], ids=["succeeded", "failed"])
def test_a_finished_job_is_deleted_when_its_time_is_over_and_not_a_moment_before(job):
    assert d.Wait() == at(job, SOON + timedelta(days=900))

    job = write(edited(job, ttl_seconds_after_finished=100))

    assert job.status.finished_at == SOON
    assert d.Wait(0.5) == at(job, SOON + timedelta(seconds=99.5))
    assert d.Expire() == at(job, SOON + timedelta(seconds=100))


def test_a_job_that_outlives_itself_by_nothing_is_deleted_at_once():
    job = limited("Succeeded", ttl_seconds_after_finished=0)

    assert d.Expire() == at(job, SOON)


def test_a_job_that_goes_on_has_no_end_on_record():
    over = limited("Succeeded", ttl_seconds_after_finished=0)
    begun_anew = write(edited(over, retry_generation=1), discarded=frozenset({RUN}))

    assert [begun_anew.status.finished_at, job_in("Running").status.finished_at] == [None, None]
