"""What to do next, for each phase and each thing that can be seen in it."""

from datetime import timedelta

import attrs
import pytest
from training_jobs import (
    CARD,
    DATA,
    FAULT,
    NOW,
    PHASES,
    RUN,
    UID,
    WAY,
    condition,
    facts,
    failed,
    job_in,
    new_job,
    with_new_spec,
    write,
)

from windlass.operators.training import decision as d
from windlass.operators.training import phases
from windlass.operators.training.decision import current_phase, decide
from windlass.operators.training.executors.contract import Active, Broken, Fault, Lost, NotStarted
from windlass.operators.training.identity import operation_id, run_id
from windlass.operators.training.queues.places import Admitted, Standing, Unknown
from windlass.operators.training.runfolder import Progress
from windlass.operators.training.types import ModelStatus, ProgressStatus
from windlass.operators.training.validation import Evaluation
from windlass.statemachine.conditions import Conditions


@pytest.mark.parametrize("phase", PHASES)
def test_the_phase_written_is_the_one_that_the_conditions_say(phase):
    """A1, C-23: the conditions are what was observed; the phase follows from them and is never read back."""
    job = job_in(phase)

    assert phase == current_phase(job) == phases.phase_of(Conditions.of(job.status.conditions)) == job.status.phase


@pytest.mark.parametrize("phase", PHASES[1:])
def test_every_condition_is_there_from_the_first_visit_with_the_generation_it_judges(phase):
    """C-21, G4."""
    job = job_in(phase)

    kinds = [*phases.STEPS[:-1], "Suspended", "Cancelled", "Succeeded", "Reconciling", "Stalled"]
    assert sorted(kinds) == sorted(one.type for one in job.status.conditions)
    assert {1} == {one.observed_generation for one in job.status.conditions}
    assert job.status.observed_generation == 1


@pytest.mark.parametrize("phase", PHASES[1:-1])
def test_kstatus_sees_work_in_progress_until_the_end(phase):
    job = job_in(phase)

    assert (condition(job, "Reconciling").status, condition(job, "Stalled").status) == ("True", "False")
    assert condition(job, "Succeeded").status == "Unknown"


def test_kstatus_sees_a_current_object_after_success():
    job = job_in("Succeeded")

    assert tuple(condition(job, kind).status for kind in ("Reconciling", "Stalled", "Succeeded")) == (
        "False",
        "False",
        "True",
    )


def test_kstatus_sees_a_failed_object_after_failure():
    job = failed()

    assert tuple(condition(job, kind).status for kind in ("Reconciling", "Stalled", "Succeeded")) == (
        "False",
        "True",
        "False",
    )
    assert (FAULT.reason, FAULT.message) == (condition(job, "Succeeded").reason, condition(job, "Succeeded").message)


@pytest.mark.parametrize("phase", PHASES)
def test_equal_job_and_facts_give_equal_decisions(phase):
    assert decide(job_in(phase), facts()) == decide(job_in(phase), facts())


@pytest.mark.parametrize("phase", PHASES[:-1])
def test_nothing_is_done_before_the_finalizer_is_there(phase):
    job = job_in(phase)

    assert d.AddFinalizer() == decide(attrs.evolve(job, metadata=attrs.evolve(job.metadata, finalizers=())), facts())


@pytest.mark.parametrize(
    ("phase", "question"),
    [
        ("VerifyingData", d.Verify(None)),
        ("Running", d.Observe()),
        ("Validating", d.Evaluate()),
        ("Publishing", d.Publish()),
        ("Carding", d.WriteCard()),
    ],
)
def test_what_is_not_known_is_asked(phase, question):
    assert question == decide(job_in(phase), facts())


@pytest.mark.parametrize("job", [job_in("Succeeded"), failed()], ids=["succeeded", "failed"])
def test_a_job_that_has_ended_does_nothing_whatever_is_seen(job):
    """G3; A5: an executor that appears later changes nothing."""
    for seen in (
        {},
        {"observation": NotStarted()},
        {"observation": Lost("x", counted=False)},
        {"data": FAULT},
        {"refusal": FAULT},
    ):
        assert d.Wait() == decide(job, facts(**seen))


def test_a_refused_spec_fails_before_anything_else_happens():
    job = write(new_job(), refusal=Fault("ExecutorNotFound", "no executor 'x'; known: softmax"))

    assert job.status.phase == "Failed"
    assert (condition(job, "Accepted").status, condition(job, "Accepted").reason) == ("False", "ExecutorNotFound")
    assert (job.status.run, job.status.runs) == (None, 0)


def test_data_is_pinned_before_there_is_a_run():
    """A3."""
    job = job_in("Queued")

    assert job.status.data == DATA
    assert job.status.run is None


@pytest.mark.parametrize(
    "reason", ["TableNotFound", "DataVersionNotFound", "DataVersionExpired", "TableIdMismatch", "DataFilesMissing"]
)
def test_a_fault_of_the_data_is_final_and_keeps_its_reason(reason):
    job = write(job_in("VerifyingData"), data=Fault(reason, "because"))

    assert ("Failed", reason) == (job.status.phase, condition(job, "DataVerified").reason)


@pytest.mark.parametrize(
    ("phase", "step", "seen"),
    [
        ("VerifyingData", "DataVerified", "data"),
        ("Validating", "Validated", "evaluation"),
        ("Publishing", "Published", "published"),
        ("Carding", "Carded", "card"),
    ],
)
def test_what_may_recover_is_said_once_and_then_tried_again_without_another_write(phase, step, seen):
    fault = Fault("TableUnreachable", "the network is down", retryable=True)

    job = write(job_in(phase), **{seen: fault})

    assert (phase, "Unknown", "TableUnreachable") == (
        job.status.phase,
        condition(job, step).status,
        condition(job, step).reason,
    )
    assert d.Retry("the network is down") == decide(job, facts(**{seen: fault}))
    assert PHASES[PHASES.index(phase) + 1] == write(job, **WAY[phase]).status.phase


def test_a_table_pinned_by_an_earlier_run_at_the_same_place_is_expected_again():
    """A4."""
    job = with_new_spec(job_in("Queued"))

    job = write(job)

    assert d.Verify("table-a") == decide(job, facts())


def test_another_place_or_an_explicit_table_id_frees_from_the_pin():
    job = write(with_new_spec(job_in("Queued")))
    moved = attrs.evolve(job, spec=attrs.evolve(job.spec, data=attrs.evolve(job.spec.data, uri="/other")))
    named = attrs.evolve(job, spec=attrs.evolve(job.spec, data=attrs.evolve(job.spec.data, table_id="table-b")))

    assert d.Verify(None) == decide(moved, facts())
    assert d.Verify("table-b") == decide(named, facts())


def test_a_run_is_on_record_before_its_trainer_starts():
    """G1, G2."""
    job = job_in("Running")

    assert (RUN, 1, operation_id(RUN, "train", 1), 0, 1) == (
        job.status.run.id,
        job.status.run.attempt,
        job.status.run.op_id,
        job.status.run.resumed_from_step,
        job.status.runs,
    )
    assert NOW.replace(microsecond=0) == job.status.run.started_at
    assert d.Start() == decide(job, facts(observation=NotStarted()))


def test_an_executor_that_went_away_meanwhile_fails_the_job():
    assert write(job_in("Queued"), refusal=FAULT).status.phase == "Failed"


def test_progress_is_written_when_it_is_new_and_not_again():
    seen = Active(Progress(3, 300, 540, 0.5, 0.8))

    job = write(job_in("Running"), observation=seen)

    assert ProgressStatus(3, 300, 540, 0.5, 0.8) == job.status.progress
    assert job.status.phase == "Running"
    assert isinstance(decide(job, facts(observation=seen)), d.Wait)
    assert isinstance(decide(job, facts(observation=Active())), d.Wait)


def test_an_attempt_lost_with_the_controller_is_resumed_and_never_counted():
    job = job_in("Running")
    for attempt in range(2, 12):
        job = write(job, observation=Lost("the controller was restarted", counted=False, resume_step=attempt * 10))

        assert ("Running", attempt, 0) == (job.status.phase, job.status.run.attempt, job.status.run.failures)
        assert (attempt * 10, operation_id(RUN, "train", attempt)) == (
            job.status.run.resumed_from_step,
            job.status.run.op_id,
        )
    assert job.status.runs == 1


def test_a_trainer_killed_too_often_fails_the_job_with_the_number():
    job = job_in("Running")
    for _ in range(3):
        job = write(job, observation=Lost("the trainer was killed by SIGKILL", counted=True))
        assert job.status.phase == "Running"

    job = write(job, observation=Lost("the trainer was killed by SIGKILL", counted=True))

    assert (job.status.phase, condition(job, "Trained").reason) == ("Failed", "TrainerFailed")
    assert condition(job, "Trained").message == "the trainer was killed by SIGKILL; 4 attempts were lost, 3 may be"


def test_a_finished_training_records_its_end_and_its_last_progress():
    job = job_in("Validating")

    assert NOW.replace(microsecond=0) == job.status.run.finished_at
    assert ProgressStatus(300, 300, 53_700, 0.06, 0.99) == job.status.progress
    assert condition(job, "Trained").message == "300 epochs, 53700 steps, loss 0.06"


def test_a_run_that_vanished_from_the_status_is_a_corrupt_state_and_nothing_is_started():
    """G4."""
    job = job_in("Running")

    job = write(attrs.evolve(job, status=attrs.evolve(job.status, run=None)))

    assert (job.status.phase, condition(job, "StateCorrupt").status) == ("Running", "True")
    assert decide(job, facts()) == d.Wait()


@pytest.mark.parametrize(
    ("accuracy", "phase"), [(0.93, "Publishing"), (0.93 - 1e-12, "Failed"), (1.0, "Publishing"), (0.0, "Failed")]
)
def test_the_minimum_itself_passes_and_nothing_below(accuracy, phase):
    job = write(job_in("Validating"), evaluation=Evaluation(accuracy, 360, "sha"))

    assert (phase, phase == "Publishing") == (job.status.phase, job.status.validation.passed)


def test_an_accuracy_that_is_not_a_number_never_passes():
    """B1: fail closed."""
    job = write(job_in("Validating"), evaluation=Evaluation(float("nan"), 360, "sha"))

    assert (job.status.phase, condition(job, "Validated").reason) == ("Failed", "EvaluationFailed")
    assert job.status.validation is None, "JSON has no NaN"


def test_a_model_that_is_not_good_enough_fails_with_both_numbers():
    job = write(job_in("Validating"), evaluation=Evaluation(0.5, 360, "sha"))

    assert condition(job, "Validated").reason == "ValidationFailed"
    assert condition(job, "Validated").message == "accuracy 0.5000 on 360 held-out rows, at least 0.93 was asked for"
    assert job.status.model is None


def test_success_names_the_version():
    job = job_in("Succeeded")

    assert ModelStatus("digits", 4, "sha", "file:///m/digits/4", CARD) == job.status.model
    assert condition(job, "Succeeded").message == "model digits version 4"


@pytest.mark.parametrize(
    ("phase", "seen", "step"),
    [
        ("Running", {"observation": Broken(FAULT)}, "Trained"),
        ("Validating", {"evaluation": FAULT}, "Validated"),
        ("Publishing", {"published": FAULT}, "Published"),
    ],
)
def test_a_failure_stands_at_the_step_where_it_happened_and_in_the_summary(phase, seen, step):
    job = write(job_in(phase), **seen)

    assert job.status.phase == "Failed"
    for kind in (step, "Succeeded"):
        assert attrs.astuple(condition(job, kind))[1:4] == ("False", "SomeReason", "what happened")


@pytest.mark.parametrize(
    "job", [*(job_in(phase) for phase in ("Running", "Validating", "Publishing", "Succeeded")), failed()]
)
def test_a_new_spec_ends_the_older_run_before_its_record_is_overwritten(job):
    job = with_new_spec(job)
    assert current_phase(job) == "Pending"
    assert d.Discard((RUN,)) == decide(job, facts())

    job = write(job, discarded=frozenset({RUN}))

    assert (job.status.phase, job.status.observed_generation) == ("VerifyingData", 2)
    assert [job.status.run, job.status.progress, job.status.validation, job.status.model] == [None] * 4


def test_a_new_spec_is_a_new_run_and_is_counted():
    job = write(with_new_spec(job_in("Succeeded")), discarded=frozenset({RUN}))

    job = write(write(job, data=DATA), place=Admitted())

    assert (run_id(UID, 2), 1, 2) == (job.status.run.id, job.status.run.attempt, job.status.runs)


@pytest.mark.parametrize("phase", PHASES)
def test_a_deleted_job_lets_go_only_after_every_run_it_can_have_had_is_gone(phase):
    job = job_in(phase)
    job = attrs.evolve(job, metadata=attrs.evolve(job.metadata, deletion_timestamp=NOW, generation=3))
    runs = tuple(run_id(UID, generation) for generation in (1, 2, 3))

    assert d.Discard(runs) == decide(job, facts())
    assert d.Discard(runs[1:]) == decide(job, facts(discarded=frozenset(runs[:1])))
    assert d.ReleaseFinalizer() == decide(job, facts(discarded=frozenset(runs)))


def test_a_deleted_job_that_others_still_hold_is_left_alone():
    job = new_job(deletion_timestamp=NOW, finalizers=("others.example.com/hold",))

    assert d.Wait() == decide(job, facts())


def test_transition_times_move_only_with_the_status():
    """C-12."""
    job = job_in("Running")
    later = attrs.evolve(facts(observation=Lost("x", counted=False)), now=NOW + timedelta(hours=1))

    status = decide(job, later).status

    before = {one.type: one.last_transition_time for one in job.status.conditions}
    assert before == {one.type: one.last_transition_time for one in status.conditions}


def test_a_job_that_stands_in_a_queue_says_where_once_and_looks_again():
    seen = {"place": Standing(3, 4, 4)}
    job = write(job_in("Queued"), **seen)

    assert (current_phase(job), condition(job, "Trained").reason) == ("Queued", "Queued")
    assert condition(job, "Trained").message == "position 3 in queue default: 4 of 4 places are taken"
    assert d.Wait(d.LOOK_AGAIN_IN_THE_QUEUE_SECONDS) == decide(job, facts(**seen))


def test_a_job_waits_for_a_queue_that_nobody_made():
    job = write(job_in("Queued"), place=Unknown(("default", "gpu")))

    assert (current_phase(job), condition(job, "Trained").reason) == ("Queued", "QueueNotFound")
    assert condition(job, "Trained").message == "there is no queue 'default'; known: default, gpu"


def test_a_job_that_could_not_start_does_not_ask_for_a_place():
    fault = Fault("KindNotInstalled", "the cluster has no Jobs", retryable=True)

    job = write(job_in("Queued"), refusal=fault)

    assert d.Retry("the cluster has no Jobs") == decide(job, facts(refusal=fault))


def test_the_queue_that_gave_the_place_is_on_record():
    assert job_in("Running").status.run.queue == "default"
