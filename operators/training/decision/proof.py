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
from windlass.operators.training.types import ModelStatus, TrainingJob, Validation, ValidationStatus
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
    if not all(one is None or math.isfinite(one) for one in (found.accuracy, found.loss, found.exact_match)):
        return fail(job, facts, phases.VALIDATED, Fault("EvaluationFailed", "the accuracy is not a number"))  # (B1)
    message, passed = _compared(job.spec.validation, found)
    verdict = ValidationStatus(
        accuracy=round(found.accuracy, 6),
        rows=found.rows,
        passed=passed,
        loss=None if found.loss is None else round(found.loss, 6),
        exact_match=None if found.exact_match is None else round(found.exact_match, 6),
    )
    judged = attrs.evolve(job, status=attrs.evolve(job.status, validation=verdict))
    if not passed:
        return fail(judged, facts, phases.VALIDATED, Fault("ValidationFailed", message))
    return _pass_the_gate(judged, facts, found, message=message)


def _compared(asked: Validation, found: Evaluation) -> tuple[str, bool]:
    """What was found and asked for, in words, and whether it is enough. What was asked for and not measured is not.

    Compared as measured, so that a number which only rounds up to the minimum does not pass.
    """
    said = [
        f"accuracy {found.accuracy:.4f} on {found.rows} held-out rows, at least {asked.min_accuracy:g} was asked for"
    ]
    passed = found.accuracy >= asked.min_accuracy
    if found.loss is not None:
        said.append(f"loss {found.loss:.4f}")
    if asked.max_loss is not None:
        said.append(f"{'no loss measured and ' if found.loss is None else ''}at most {asked.max_loss:g} was asked for")
        passed = passed and found.loss is not None and found.loss <= asked.max_loss
    if found.exact_match is not None:
        said.append(f"exact matches {found.exact_match:.4f}")
    if asked.min_exact_match is not None:
        missing = "no exact matches measured and " if found.exact_match is None else ""
        said.append(f"{missing}at least {asked.min_exact_match:g} was asked for")
        passed = passed and found.exact_match is not None and found.exact_match >= asked.min_exact_match
    return ", ".join(said), passed


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
        model=ModelStatus(found.name, found.version, found.sha256, found.uri),
    )
