"""With a gate, a job publishes nothing that the gate has not let through, on this very model (A14, B1)."""

import attrs
import pytest
from training_jobs import FAULT, PASSING, condition, facts, job_in, with_new_spec, write

from windlass.operators.training import decision as d
from windlass.operators.training.decision import LOOK_AGAIN_AT_THE_GATE_SECONDS, decide
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.judging import Deliberating
from windlass.operators.training.gate.types import CheckSpec, CheckStatus, GateSpec, GateStatus

GATE = GateSpec((CheckSpec("robust", "fgsm"),))
OPEN = GateStatus("sha", passed=True, reason="Passed", message="1 of 1 checks were required, and all of them passed")
SHUT = GateStatus(
    "sha", False, "CheckFailed", "robust: Failed", (CheckStatus("robust", "fgsm", True, "Failed", "x", "y"),)
)


def gated():
    job = job_in("Validating")
    return attrs.evolve(job, spec=attrs.evolve(job.spec, gate=GATE))


def test_without_a_gate_none_is_asked():
    assert write(job_in("Validating"), evaluation=PASSING).status.phase == "Publishing"


def test_the_gate_is_asked_only_once_the_model_is_accurate_enough():
    assert decide(gated(), facts()) == d.Evaluate()
    assert decide(gated(), facts(evaluation=PASSING)) == d.Judge()
    poor = write(gated(), evaluation=attrs.evolve(PASSING, accuracy=0.1), gate=OPEN)
    assert (poor.status.phase, condition(poor, "Validated").reason) == ("Failed", "ValidationFailed")


def test_while_it_deliberates_the_job_says_so_once_and_waits():
    job = write(gated(), evaluation=PASSING, gate=Deliberating())

    assert (job.status.phase, condition(job, "Validated").reason) == ("Validating", "Judging")
    waits = decide(job, facts(evaluation=PASSING, gate=Deliberating()))
    assert waits == d.Wait(LOOK_AGAIN_AT_THE_GATE_SECONDS)


def test_an_open_gate_lets_the_model_through_and_is_on_record():
    job = write(gated(), evaluation=PASSING, gate=OPEN)

    assert (job.status.phase, job.status.gate) == ("Publishing", OPEN)
    assert condition(job, "Validated").message.endswith("; 1 of 1 checks were required, and all of them passed")


@pytest.mark.parametrize(
    "verdict",
    [
        SHUT,
        attrs.evolve(OPEN, model_sha256="another"),
        attrs.evolve(OPEN, model_sha256=""),
        attrs.evolve(SHUT, checks=()),
    ],
    ids=["shut", "of another model", "of none", "shut without checks"],
)
def test_any_other_verdict_ends_the_job_with_the_reason_on_record(verdict):
    """A14: Passed for this model digest."""
    job = write(gated(), evaluation=PASSING, gate=verdict)

    assert (job.status.phase, condition(job, "Validated").reason) == ("Failed", "GateClosed")
    assert job.status.gate == verdict
    assert job.status.model is None


def test_a_gate_that_could_not_be_carried_out_is_tried_again_if_that_may_help():
    assert write(gated(), evaluation=PASSING, gate=FAULT).status.phase == "Failed"
    shaky = Fault("EvidenceUnwritable", "disk full", retryable=True)
    job = write(gated(), evaluation=PASSING, gate=shaky)
    assert (job.status.phase, condition(job, "Validated").reason) == ("Validating", "EvidenceUnwritable")
    assert decide(job, facts(evaluation=PASSING, gate=shaky)) == d.Retry("disk full")


def test_a_new_spec_takes_the_verdict_off_the_record():
    """A14: training again invalidates."""
    job = write(gated(), evaluation=PASSING, gate=OPEN)

    anew = write(with_new_spec(job), discarded=frozenset({job.status.run.id}))

    assert anew.status.gate is None
    assert anew.status.observed_generation == 2
