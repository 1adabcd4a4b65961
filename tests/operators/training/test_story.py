"""One Event for each transition, computed from the status alone."""

from datetime import timedelta

import attrs
import pytest
from training_jobs import NOW, PHASES, RUN, failed, job_in, new_job, with_new_spec, write

from windlass.operators.training.executors.contract import Fault, Lost
from windlass.operators.training.story import recent, tellings

REASONS = ["VerifyingData", "DataVerified", "TrainingStarted", "Trained", "Validated", "Published", "Succeeded"]


def reasons(job):
    return [telling.reason for telling in tellings(job)]


@pytest.mark.parametrize("phase", PHASES)
def test_every_transition_so_far_is_told_once(phase):
    assert REASONS[: PHASES.index(phase)] == reasons(job_in(phase))


@pytest.mark.parametrize("phase", PHASES)
def test_names_are_unique_and_do_not_change_as_the_job_goes_on(phase):
    names = [telling.dedupe for telling in tellings(job_in(phase))]

    assert len(set(names)) == len(names)
    assert names == [telling.dedupe for telling in tellings(job_in("Succeeded"))][: len(names)]


def test_what_was_told_is_told_in_the_same_words_later():
    last = {telling.dedupe: telling for telling in tellings(job_in("Succeeded"))}

    for phase in PHASES:
        assert all(telling == last[telling.dedupe] for telling in tellings(job_in(phase)))


def test_a_failure_is_a_warning_with_the_reason_and_the_message_of_the_condition():
    *before, last = tellings(failed())

    assert REASONS[:3] == [telling.reason for telling in before]
    assert (last.reason, last.message, last.type) == ("SomeReason", "what happened", "Warning")


def test_a_refused_spec_tells_of_its_refusal_alone():
    job = write(new_job(), refusal=Fault("ExecutorNotFound", "no executor 'x'"))

    assert reasons(job) == ["ExecutorNotFound"]


def test_success_and_failure_of_one_run_would_have_the_same_name():
    """There is one end: whichever is told, a second one cannot be."""
    assert tellings(job_in("Succeeded"))[-1].dedupe == tellings(failed())[-1].dedupe


def test_each_resumption_is_told_with_its_step_and_has_its_own_name():
    job = write(job_in("Running"), observation=Lost("restart", counted=False, resume_step=40))
    again = write(job, observation=Lost("restart", counted=False, resume_step=50))

    one, other = tellings(job)[-1], tellings(again)[-1]

    assert f"attempt 2 of run {RUN} resumes from step 40" == one.message
    assert f"attempt 3 of run {RUN} resumes from step 50" == other.message
    assert one.dedupe != other.dedupe


def test_a_new_generation_is_told_under_new_names():
    job = write(with_new_spec(job_in("Succeeded")), discarded=frozenset({RUN}))

    assert not {one.dedupe for one in tellings(job)} & {one.dedupe for one in tellings(job_in("Succeeded"))}


def test_an_untouched_job_tells_nothing():
    assert tellings(new_job()) == ()


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=49)])
def test_a_job_that_ended_a_short_while_ago_may_be_told_again(age):
    assert recent(job_in("Succeeded"), NOW + age)


def test_a_job_that_ended_long_ago_is_not_told_again_because_its_events_have_expired():
    assert not recent(job_in("Succeeded"), NOW + timedelta(hours=1))
    assert not recent(failed(), NOW + timedelta(hours=1))


def test_a_second_failure_is_recent_though_its_summary_keeps_the_time_of_the_first():
    """C-12: False to False moves no time; the step that failed has moved, though."""
    first = failed()
    second = write(with_new_spec(first), discarded=frozenset({RUN}), refusal=Fault("ExecutorNotFound", "gone"))
    later = NOW + timedelta(hours=2)
    kept = tuple(
        attrs.evolve(one, last_transition_time=NOW if one.type == "Succeeded" else later)
        for one in second.status.conditions
    )

    assert recent(attrs.evolve(second, status=attrs.evolve(second.status, conditions=kept)), later)


@pytest.mark.parametrize("phase", PHASES[:-1])
def test_a_job_that_goes_on_is_always_told(phase):
    assert recent(attrs.evolve(job_in(phase)), NOW + timedelta(days=9))
