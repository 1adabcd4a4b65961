"""Suspending, going on and cancelling, in each phase (A12, G3, G4)."""

from datetime import timedelta

import attrs
import pytest
from training_jobs import NOW, PHASES, RESULT, RUN, WAY, condition, edited, facts, failed, job_in, write

from windlass.operators.training import decision as d
from windlass.operators.training.decision import current_phase, decide
from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.identity import operation_id
from windlass.operators.training.phases import MACHINE
from windlass.operators.training.queues.places import Admitted


def caught_up(job, **spec):
    """The job after an edit, once the status has been told of it."""
    return write(edited(job, **spec))


def suspended(phase="Running"):
    return write(caught_up(job_in(phase), suspend=True), observation=Active(), halted=True)


def going_on():
    """A job that was suspended while it was running, and is Running again."""
    return write(write(caught_up(suspended(), suspend=False)), place=Admitted())


@pytest.mark.parametrize("phase", PHASES[1:])
def test_an_edit_that_only_steers_is_noted_and_changes_nothing_else(phase):
    """G4: the generation is the spec's, and no time of a transition moves."""
    before = job_in(phase)

    job = caught_up(before, retries=attrs.evolve(before.spec.retries, limit=9))

    assert (phase, 2, 1) == (current_phase(job), job.status.observed_generation, job.status.life_generation)
    assert {2} == {one.observed_generation for one in job.status.conditions}
    restored = tuple(attrs.evolve(one, observed_generation=1) for one in job.status.conditions)
    assert before.status == attrs.evolve(job.status, observed_generation=1, conditions=restored)


def test_a_running_job_is_halted_before_it_is_called_suspended():
    job = caught_up(job_in("Running"), suspend=True)

    assert d.Observe() == decide(job, facts())
    assert d.Halt() == decide(job, facts(observation=Active()))
    job = suspended()
    assert (current_phase(job), condition(job, "Suspended").status) == ("Suspended", "True")
    assert (job.status.run.id, job.status.run.attempt, job.status.run.failures) == (RUN, 1, 0)
    assert [(one.number, one.suspended, one.finished_at) for one in job.status.attempts] == [(1, True, None)]


def test_kstatus_sees_a_suspended_job_as_what_its_spec_asks_for():
    job = suspended()

    assert tuple(condition(job, kind).status for kind in ("Reconciling", "Stalled", "Succeeded")) == (
        "False",
        "False",
        "Unknown",
    )


def test_a_job_that_waits_is_suspended_without_any_work_to_end():
    job = write(caught_up(job_in("Queued"), suspend=True))

    assert (current_phase(job), job.status.run) == ("Suspended", None)
    assert d.Wait() == decide(job, facts())


def test_a_suspended_job_is_halted_again_by_whoever_wakes_it():
    """A12: a decision from an older reading may have started it after all."""
    assert d.Halt() == decide(suspended(), facts())
    assert d.Wait() == decide(suspended(), facts(halted=True))


def test_a_training_that_has_its_result_is_not_suspended_any_more():
    job = caught_up(job_in("Running"), suspend=True)

    assert write(job, observation=Done(RESULT)).status.phase == "Validating"
    assert write(job, observation=Broken(Fault("TrainerFailed", "no"))).status.phase == "Failed"


@pytest.mark.parametrize("phase", ["VerifyingData", "Validating", "Publishing"])
def test_other_phases_go_on_though_the_job_is_to_be_suspended(phase):
    job = caught_up(job_in(phase), suspend=True)

    assert PHASES[PHASES.index(phase) + 1] == write(job, **WAY[phase]).status.phase


def test_a_job_that_goes_on_waits_for_its_turn_and_keeps_its_run():
    queued = write(caught_up(suspended(), suspend=False))
    assert current_phase(queued) == "Queued"

    job = write(queued, place=Admitted())

    assert (
        current_phase(job),
        job.status.run.id,
        job.status.run.attempt,
        job.status.runs,
    ) == ("Running", RUN, 1, 1)
    assert d.Release() == decide(job, facts())


def test_an_attempt_that_can_go_on_does_and_is_no_other_one():
    job = write(going_on(), observation=Active(), released=True)

    assert [(one.number, one.suspended, one.finished_at) for one in job.status.attempts] == [(1, False, None)]
    assert isinstance(decide(job, facts(observation=Active())), d.Wait)


def test_an_attempt_that_was_never_begun_is_started_after_all():
    job = write(going_on(), observation=NotStarted(), released=True)

    assert d.Start() == decide(job, facts(observation=NotStarted()))


def test_an_attempt_that_cannot_go_on_is_followed_by_one_that_is_not_counted_and_resumes_from_the_newest_checkpoint():
    """A12: what was suspended has not failed."""
    job = write(
        going_on(), observation=Lost("the controller was restarted", counted=False, resume_step=80), released=True
    )

    first, second = job.status.attempts
    assert (first.outcome, first.message, first.counted) == ("Suspended", "it was suspended", False)
    assert (2, 80, operation_id(RUN, "train", 2)) == (second.number, second.resumed_from_step, second.op_id)
    assert (job.status.run.failures, job.status.run.resumed_from_step) == (0, 80)
    assert second.started_at <= NOW, "without a pause"


def test_an_attempt_that_died_before_it_was_halted_is_counted_when_the_job_goes_on():
    job = write(going_on(), observation=Lost("the trainer was killed by SIGKILL", counted=True), released=True)

    assert (job.status.attempts[0].outcome, job.status.attempts[0].counted, job.status.run.failures) == (
        "Lost",
        True,
        1,
    )


@pytest.mark.parametrize("phase", [phase for phase in PHASES if MACHINE.allows(phase, "cancel")])
def test_a_job_is_cancelled_after_its_work_has_ended(phase):
    job = caught_up(job_in(phase), cancel=True)
    if job.status.run is not None:
        assert d.Halt(for_good=True) == decide(job, facts())

    job = write(job, halted=True)

    assert (
        current_phase(job),
        condition(job, "Cancelled").status,
        condition(job, "Stalled").status,
    ) == ("Cancelled", "True", "False")
    assert (condition(job, "Succeeded").status, condition(job, "Succeeded").reason) == ("False", "Cancelled")
    assert d.Wait() == decide(job, facts())


def test_a_suspended_job_can_be_cancelled():
    assert current_phase(write(caught_up(suspended(), cancel=True), halted=True)) == "Cancelled"


def test_a_new_job_that_is_to_be_cancelled_gets_no_further_than_to_be_accepted():
    job = write(edited(attrs.evolve(job_in("Pending")), cancel=True))

    assert (current_phase(job), current_phase(write(job))) == ("VerifyingData", "Cancelled")


def test_a_model_that_has_passed_is_published_though_the_job_is_cancelled_meanwhile():
    job = write(caught_up(job_in("Publishing"), cancel=True), **WAY["Publishing"])

    assert current_phase(write(job, **WAY["Carding"])) == "Succeeded"


@pytest.mark.parametrize("job", [job_in("Succeeded"), failed()], ids=["succeeded", "failed"])
@pytest.mark.parametrize("field", ["suspend", "cancel"])
def test_a_job_that_has_ended_is_not_steered(job, field):
    """G3."""
    after = caught_up(job, **{field: True})

    assert (current_phase(job), d.Wait()) == (current_phase(after), decide(after, facts()))


def test_only_a_raised_retry_generation_begins_a_cancelled_job_anew():
    """G3: and taking the cancellation back does not."""
    cancelled = write(caught_up(job_in("Queued"), cancel=True))
    back = caught_up(cancelled, cancel=False)
    assert ("Cancelled", d.Wait()) == (current_phase(back), decide(back, facts()))

    job = write(edited(back, retry_generation=1))

    assert (current_phase(job), job.status.life_generation) == ("VerifyingData", 4)


def test_a_lost_attempt_waits_for_its_pause_by_the_times_on_record():
    """A9, G5: another controller waits for what is left of it, and no longer."""
    job = write(job_in("Running"), observation=Lost("the trainer was killed by SIGKILL", counted=True, resume_step=7))

    due = job.status.attempts[-1].started_at
    assert timedelta(seconds=8) <= due - NOW <= timedelta(seconds=11)
    assert f"not before {due:%Y-%m-%dT%H:%M:%SZ}" in condition(job, "Trained").message
    almost = attrs.evolve(facts(observation=NotStarted()), now=due - timedelta(milliseconds=250))
    assert d.Wait(0.25) == decide(job, almost)
    assert d.Start() == decide(job, attrs.evolve(almost, now=due))


def test_a_limit_of_none_ends_the_job_with_the_first_loss():
    job = job_in("Running")
    job = attrs.evolve(job, spec=attrs.evolve(job.spec, retries=attrs.evolve(job.spec.retries, limit=0)))

    job = write(job, observation=Lost("the trainer was killed by SIGKILL", counted=True))

    assert (
        current_phase(job),
        job.status.attempts[-1].outcome,
        job.status.attempts[-1].counted,
    ) == ("Failed", "Lost", True)


def test_a_finished_attempt_is_closed_as_succeeded_and_a_broken_one_as_failed():
    done, broken = job_in("Validating"), failed()

    assert (done.status.attempts[-1].outcome, broken.status.attempts[-1].outcome) == ("Succeeded", "Failed")
    assert broken.status.attempts[-1].message == "what happened"
