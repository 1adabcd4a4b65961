"""A published model gets its card, then its Promotion: one for each run, on record before it is created (G1, G2).

What was published stays, whatever becomes of either. This module does not know how a card or a Promotion is made.
"""

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.facts import (
    CreatePromotion,
    Decision,
    Facts,
    LookAtPromotion,
    Wait,
    Write,
    WriteCard,
)
from windlass.operators.training.decision.moves import fail, fail_or_retry, move, say, whole_second
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.verdict import admits
from windlass.operators.training.handoff.child import Absent, Seen, promotion_name
from windlass.operators.training.handoff.types import PromotionRecord
from windlass.operators.training.identity import operation_id
from windlass.operators.training.types import ModelStatus, RunStatus, TrainingJob
from windlass.statemachine.conditions import Condition

__all__ = ("card", "promote")


def card(job: TrainingJob, facts: Facts) -> Decision:
    """Record the run and write the card; then the job is done, or hands its model over."""
    found, model, run = facts.card, job.status.model, job.status.run
    if model is None or run is None:
        why = "the phase is Carding, but no run or no model is on record"
        return fail(job, facts, phases.CARDED, Fault("StateCorrupt", why))
    if found is None:
        return WriteCard()
    if isinstance(found, Fault):
        # To fail for good would deny a model that is published.
        return fail_or_retry(job, facts, phases.CARDED, attrs.evolve(found, retryable=True))
    described = attrs.evolve(model, card=found)
    carded = Condition(phases.CARDED, "True", "Carded", f"model {model.name} version {model.version}")
    if job.spec.promotion is None:
        return move(job, facts, "card", carded, model=described)
    return _hand_over(job, facts, (run, described), carded=carded)


def _hand_over(job: TrainingJob, facts: Facts, made: tuple[RunStatus, ModelStatus], *, carded: Condition) -> Write:
    run, model = made
    if not admits(job.status.gate, model.sha256):  # (A14)
        fault = Fault("GateClosed", f"no gate has let the model {model.sha256} pass")
        return fail(job, facts, phases.PROMOTED, fault)
    record = PromotionRecord(
        name=promotion_name(job.metadata.name, run.id),
        op_id=operation_id(run.id, "promote", 1),
        intended_at=whole_second(facts.now),
    )
    return move(job, facts, "hand over", carded, model=model, promotion=record)


def promote(job: TrainingJob, facts: Facts) -> Decision:
    """Create the Promotion that is on record, then follow it to its end."""
    record = job.status.promotion
    if record is None:
        why = "the phase is Promoting, but no promotion is on record"
        return fail(job, facts, phases.PROMOTED, Fault("StateCorrupt", why))
    match facts.promotion:
        case None:
            return LookAtPromotion()
        case Fault() as fault:
            return fail_or_retry(job, facts, phases.PROMOTED, fault)
        case Seen(uid) as seen if record.uid in ("", uid):
            return _follow(job, facts, record, seen=seen)
        case Absent() if not record.uid:
            return CreatePromotion()
        case _:
            # A second one would be a second promotion of the run, which nobody has asked for (G3).
            fault = Fault("PromotionDeleted", f"the promotion {record.name} was deleted before it had ended")
            return fail(job, facts, phases.PROMOTED, fault)


def _follow(job: TrainingJob, facts: Facts, record: PromotionRecord, *, seen: Seen) -> Decision:
    shown = attrs.evolve(record, uid=seen.uid, phase=seen.phase, weight=seen.weight)
    if seen.outcome is None:
        message = f"promotion {record.name}: {seen.phase} at {seen.weight} %"
        said = say(job, facts, Condition(phases.PROMOTED, "Unknown", seen.phase, message))
        if said is None and shown == record:
            return Wait()  # the Promotion's next change wakes the job
        return Write(attrs.evolve(job.status if said is None else said.status, promotion=shown))
    ended = attrs.evolve(shown, finished_at=whole_second(facts.now))
    known = attrs.evolve(job, status=attrs.evolve(job.status, promotion=ended))
    if seen.outcome:
        return move(known, facts, "promote", Condition(phases.PROMOTED, "True", "Promoted", seen.message))
    fault = Fault(f"Promotion{seen.phase}", f"{seen.reason}: {seen.message}")
    return fail(known, facts, phases.PROMOTED, fault)
