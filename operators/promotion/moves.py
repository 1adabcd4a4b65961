"""A status after a row of the table, with its conditions and its line in the journal; no other way leads to a phase.

This module does not know when a move is due.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from windlass.operators.promotion import phases
from windlass.operators.promotion.facts import Facts, Wait, Write
from windlass.operators.promotion.targets.contract import Sight, operation_id
from windlass.operators.promotion.types import JournalEntry, OperationStatus, Promotion
from windlass.statemachine.conditions import Condition, Conditions
from windlass.statemachine.journal import digest

__all__ = (
    "JOURNAL_LENGTH_MAX",
    "current_phase",
    "intend",
    "move",
    "next_second",
    "note",
    "plan_digest",
    "whole_second",
)

JOURNAL_LENGTH_MAX: Final = 48  # twenty steps and their holds fit, in about 10 kB
_MESSAGE_LENGTH_MAX: Final = 1024


def current_phase(promotion: Promotion) -> str:
    """The phase that the conditions on record say."""
    return phases.phase_of(Conditions.of(promotion.status.conditions))


def plan_digest(promotion: Promotion) -> str:
    """Another one whenever target, release or steps are others: servers without CEL do not keep them from changing."""
    spec = promotion.spec
    steps = [attrs.asdict(step) for step in spec.steps]
    return digest({"target": attrs.asdict(spec.target), "release": attrs.asdict(spec.release), "steps": steps})


def move(promotion: Promotion, facts: Facts, event: str, why: tuple[str, str], **changes: Any) -> Write:
    """The status after a row of the table; `why` is the reason and message of what changed.

    Raises IllegalTransition, which is a bug here and changes nothing.
    """
    source, status = current_phase(promotion), promotion.status
    target = phases.MACHINE.next(source, event)
    reason, message = why[0], why[1][:_MESSAGE_LENGTH_MAX]
    generation = promotion.metadata.generation
    conditions = Conditions.of(status.conditions)
    for one in phases.conditions_in(target, conditions, reason, message):
        conditions = conditions.set(attrs.evolve(one, observed_generation=generation), now=facts.now)
    entry = JournalEntry(
        at=whole_second(facts.now),
        source=source,
        target=target,
        cause=event,
        generation=generation,
        reason=reason,
        message=message,
        trace_id=facts.trace_id,
        writer=facts.writer,
        version_before=promotion.metadata.resource_version,
        digest=digest(attrs.asdict(attrs.evolve(status, journal=()))),
    )
    made = {"since": next_second(facts.now), "trouble_since": None, **changes}
    return Write(
        attrs.evolve(
            status,
            observed_generation=generation,
            phase=target,
            conditions=tuple(conditions),
            operator=status.operator or facts.operator,
            journal=(*status.journal, entry)[-JOURNAL_LENGTH_MAX:],
            **made,
        )
    )


def note(promotion: Promotion, facts: Facts, why: tuple[str, str], **changes: Any) -> Write | Wait:
    """Say what is being waited for, once, in the condition Reconciling; then wait for the next look."""
    reason, message = why[0], why[1][:_MESSAGE_LENGTH_MAX]
    said = Condition(phases.RECONCILING, "True", reason, message, observed_generation=promotion.metadata.generation)
    before = Conditions.of(promotion.status.conditions)
    after = before.set(said, now=facts.now)
    operator = promotion.status.operator or facts.operator
    status = attrs.evolve(promotion.status, conditions=tuple(after), operator=operator, **changes)
    return Wait(facts.look_seconds) if status == promotion.status else Write(status)


def intend(promotion: Promotion, facts: Facts, *, name: Any, weight: int) -> tuple[OperationStatus, ...]:
    """The operations on record and one more, for the target as it was seen."""
    sight = facts.sight
    assert isinstance(sight, Sight)  # what was not seen is not written
    intended = OperationStatus(
        name=name,
        op_id=operation_id(promotion.metadata.uid, name, weight),
        weight=weight,
        before=sight.generation,
        others_digest=sight.others,
        intended_at=whole_second(facts.now),
    )
    return (*promotion.status.operations, intended)


def whole_second(moment: datetime) -> datetime:
    """What survives the trip to the server and back."""
    return moment.replace(microsecond=0)


def next_second(moment: datetime) -> datetime:
    """The same, but never before the moment: what is counted from it is not cut short (G5)."""
    whole = whole_second(moment)
    return whole if whole == moment else whole + timedelta(seconds=1)
