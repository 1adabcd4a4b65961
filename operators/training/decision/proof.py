"""A model is published if it has proved what its job asks for, on exactly the bytes that are published (A14, B1).

This module does not know how a model is evaluated, judged or put into the repository.
"""

import math

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.facts import (
    LOOK_AGAIN_AT_THE_GATE_SECONDS,
    Decision,
    Evaluate,
    Facts,
    Judge,
    Publish,
    Wait,
)
from windlass.operators.training.decision.moves import fail, fail_or_retry, move, say
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.judging import Deliberating
from windlass.operators.training.gate.types import GateStatus
from windlass.operators.training.gate.verdict import admits
from windlass.operators.training.types import ModelStatus, TrainingJob, ValidationStatus
from windlass.operators.training.validation import Evaluation
from windlass.statemachine.conditions import Condition

__all__ = ("publish", "validate")


def validate(job: TrainingJob, facts: Facts) -> Decision:
    """Compare the accuracy on the held-out rows with what was asked for, then ask the gate."""
    found = facts.evaluation
    if found is None:
        return Evaluate()
    if isinstance(found, Fault):
        return fail_or_retry(job, facts, phases.VALIDATED, found)
    if not math.isfinite(found.accuracy):
        return fail(job, facts, phases.VALIDATED, Fault("EvaluationFailed", "the accuracy is not a number"))  # (B1)
    least = job.spec.validation.min_accuracy
    # Compared as measured, so that a number which only rounds up to the minimum does not pass.
    passed = found.accuracy >= least
    verdict = ValidationStatus(accuracy=round(found.accuracy, 6), rows=found.rows, passed=passed)
    judged = attrs.evolve(job, status=attrs.evolve(job.status, validation=verdict))
    message = f"accuracy {found.accuracy:.4f} on {found.rows} held-out rows, at least {least:g} was asked for"
    if not passed:
        return fail(judged, facts, phases.VALIDATED, Fault("ValidationFailed", message))
    return _pass_the_gate(judged, facts, found, message=message)


def _pass_the_gate(job: TrainingJob, facts: Facts, found: Evaluation, *, message: str) -> Decision:
    if job.spec.gate is None:
        return move(job, facts, "pass", Condition(phases.VALIDATED, "True", "Passed", message))
    match facts.gate:
        case None:
            return Judge()
        case Deliberating():
            said = say(job, facts, Condition(phases.VALIDATED, "Unknown", "Judging", message))
            return said or Wait(LOOK_AGAIN_AT_THE_GATE_SECONDS)
        case Fault() as fault:
            return fail_or_retry(job, facts, phases.VALIDATED, fault)
        case GateStatus() as verdict:
            judged = attrs.evolve(job, status=attrs.evolve(job.status, gate=verdict))
            if not admits(verdict, found.model_sha256):  # (A14, B1)
                return fail(judged, facts, phases.VALIDATED, Fault("GateClosed", verdict.message))
            passed = Condition(phases.VALIDATED, "True", "Passed", f"{message}; {verdict.message}")
            return move(judged, facts, "pass", passed)


def publish(job: TrainingJob, facts: Facts) -> Decision:
    """Put the model into the repository."""
    found = facts.published
    if found is None:
        return Publish()
    if isinstance(found, Fault):
        return fail_or_retry(job, facts, phases.PUBLISHED, found)
    message = f"model {found.name} version {found.version}"
    return move(
        job,
        facts,
        "publish",
        Condition(phases.PUBLISHED, "True", "Published", message),
        model=ModelStatus(found.name, found.version, found.sha256, found.uri, found.card),
    )
