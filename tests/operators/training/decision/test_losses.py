"""Exit codes and disruptions, in the words of the job (A9), and when the next attempt may begin."""

from datetime import timedelta

import attrs
import pytest
from training_jobs import NOW, condition, job_in, write

from windlass.operators.training.decision.losses import in_words_of
from windlass.operators.training.executors.contract import Active, Broken, Fault, Lost, NotStarted
from windlass.operators.training.executors.exits import DELETED, EVICTED, NODE_LOST, PREEMPTED, Exit
from windlass.operators.training.types import Retries

FAULT = Fault("TrainerFailed", "the trainer ended with exit code 42")
EXACT = Retries(jitter=0)


def running(**retries):
    job = job_in("Running")
    return attrs.evolve(job, spec=attrs.evolve(job.spec, retries=attrs.evolve(EXACT, **retries)))


def pause_after(job):
    return job.status.attempts[-1].started_at - NOW.replace(microsecond=0)


def test_a_code_that_is_for_good_fails_the_job_and_is_on_record():
    job = write(running(), observation=Broken(FAULT, Exit(42), 30))

    assert (job.status.phase, condition(job, "Trained").reason) == ("Failed", "TrainerFailed")
    assert (job.status.attempts[0].outcome, job.status.attempts[0].exit_code) == ("Failed", 42)


def test_a_code_that_the_job_names_is_tried_again_from_the_newest_checkpoint_up_to_the_limit():
    job = running(limit=1, retryable_exit_codes=(41, 42))

    job = write(job, observation=Broken(FAULT, Exit(42), 30))

    assert (job.status.phase, job.status.run.resumed_from_step, job.status.run.failures) == ("Running", 30, 1)
    assert attrs.astuple(job.status.attempts[0], filter=attrs.filters.include("outcome", "exit_code", "counted")) == (
        "Lost",
        42,
        True,
    )
    assert write(job, observation=Broken(FAULT, Exit(42), 30)).status.phase == "Failed"


@pytest.mark.parametrize(
    "seen", [Broken(FAULT), Broken(FAULT, Exit(None, "DeadlineExceeded"), 30), NotStarted(), Active()]
)
def test_what_has_no_exit_code_is_taken_as_it_was_seen(seen):
    assert seen is in_words_of(Retries(retryable_exit_codes=(1, 42)), seen)


@pytest.mark.parametrize("reason", [EVICTED, PREEMPTED, NODE_LOST, DELETED])
def test_a_disruption_is_counted_only_if_the_job_says_so(reason):
    lost = Lost("taken away", counted=False, resume_step=7, exit=Exit(137, reason))

    assert not in_words_of(Retries(), lost).counted
    assert in_words_of(Retries(count_disruptions=True), lost).counted


def test_a_signal_is_counted_whatever_is_said_of_disruptions():
    lost = Lost("killed", counted=True, exit=Exit(137))

    assert in_words_of(Retries(), lost).counted
    assert in_words_of(Retries(count_disruptions=True), lost).counted


def test_what_is_taken_away_as_soon_as_it_comes_is_not_made_again_without_pause():
    evicted = Lost("evicted", counted=False, resume_step=7, exit=Exit(None, EVICTED))

    job = write(running(), observation=evicted)

    assert (timedelta(seconds=10), 0) == (pause_after(job), job.status.run.failures)
    assert "not before" in condition(job, "Trained").message


def test_what_is_taken_away_after_it_has_worked_for_a_while_is_made_again_at_once():
    job = running()
    begun = attrs.evolve(job.status.attempts[0], started_at=NOW.replace(microsecond=0) - timedelta(seconds=11))
    job = attrs.evolve(job, status=attrs.evolve(job.status, attempts=(begun,)))

    job = write(job, observation=Lost("evicted", counted=False, exit=Exit(None, EVICTED)))

    assert pause_after(job) == timedelta(0)


def test_what_went_down_with_the_controller_goes_on_at_once():
    job = write(running(), observation=Lost("the controller was restarted", counted=False, resume_step=7))

    assert pause_after(job) == timedelta(0)
    assert "not before" not in condition(job, "Trained").message


def test_losses_that_count_are_followed_by_longer_and_longer_pauses():
    job, pauses = running(), []
    for _ in range(3):
        job = write(job, observation=Lost("killed", counted=True, exit=Exit(137)))
        pauses.append(pause_after(job).total_seconds())

    assert pauses == [11, 21, 41], "rounded up from the fraction of a second at which it was seen"
