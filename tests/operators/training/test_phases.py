"""The table of phases, and that a phase is nothing but what the conditions say (A1)."""

import itertools

import pytest

from windlass.operators.training import phases
from windlass.statemachine.conditions import Condition, Conditions
from windlass.statemachine.errors import IllegalTransition


def test_conditions_are_named_by_past_participles_and_those_that_kstatus_reads():
    """C-22."""
    names = {name: value for name, value in vars(phases).items() if name.isupper() and isinstance(value, str)}

    assert len(names) == 12
    assert [value for value in names.values() if not value.endswith("ed")] == ["Reconciling"]


def test_every_phase_that_is_not_final_can_fail_and_final_ones_are_never_left():
    for phase in phases.MACHINE.states:
        assert phases.MACHINE.is_final(phase) != phases.MACHINE.allows(phase, "fail")


def test_no_phase_is_skipped_on_the_way_to_success():
    phase, seen = phases.MACHINE.initial, []
    for event in ("accept", "pin", "start", "finish", "pass", "publish", "card"):
        phase = phases.MACHINE.next(phase, event)
        seen.append(phase)

    assert seen == ["VerifyingData", "Queued", "Running", "Validating", "Publishing", "Carding", "Succeeded"]


def test_a_finished_job_does_not_run_again():
    """G3: no event leads out of a final phase."""
    for phase, event in itertools.product(
        ("Succeeded", "Failed", "Cancelled"), ("accept", "start", "resume", "suspend", "cancel", "fail")
    ):
        with pytest.raises(IllegalTransition):
            phases.MACHINE.next(phase, event)


@pytest.mark.parametrize(
    ("conditions", "phase"),
    [
        ((), "Pending"),
        (("Accepted",), "VerifyingData"),
        (("Accepted", "DataVerified"), "Queued"),
        (("Accepted", "DataVerified", "Trained"), "Validating"),
        (("Accepted", "DataVerified", "Trained", "Validated"), "Publishing"),
        (("Accepted", "DataVerified", "Trained", "Validated", "Published"), "Carding"),
        (("Accepted", "DataVerified", "Trained", "Validated", "Published", "Carded"), "Promoting"),
        (("Accepted", "DataVerified", "Trained", "Validated", "Published", "Carded", "Succeeded"), "Succeeded"),
    ],
)
def test_the_furthest_condition_that_is_true_names_the_phase(conditions, phase):
    assert phase == phases.phase_of(Conditions.of(Condition(name, "True", "Yes") for name in conditions))


def test_a_training_at_work_is_running():
    conditions = Conditions.of([Condition("DataVerified", "True", "Yes"), Condition("Trained", "Unknown", "Running")])

    assert phases.phase_of(conditions) == "Running"


@pytest.mark.parametrize("step", phases.STEPS)
def test_a_job_that_did_not_succeed_has_failed_wherever_it_was(step):
    assert (
        phases.phase_of(Conditions.of([Condition(step, "False", "No"), Condition("Succeeded", "False", "No")]))
        == "Failed"
    )


def test_conditions_of_other_kinds_change_nothing():
    """C-24: clients tolerate types that they do not know."""
    assert phases.phase_of(Conditions.of([Condition("Blessed", "True", "Yes")])) == "Pending"
