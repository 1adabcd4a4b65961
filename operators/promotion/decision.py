"""The next thing to do follows from the promotion and the facts alone: no clock, no I/O, no memory between two calls.

One call answers with one decision, and at most one of them writes the status. A write to the target is on record before
it is made (G1), and finished when the target was seen to ask for it; a target that somebody else changed is written no
more (A18). Timers begin at times that are on record (G5). This module does not know how a decision is carried out.
"""

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from windlass.operators.ownership import belongs_to_another, seconds_left_to_another
from windlass.operators.promotion import phases, rollout
from windlass.operators.promotion.acceptance import accept
from windlass.operators.promotion.facts import (
    FINALIZER,
    AddFinalizer,
    Apply,
    Decision,
    Facts,
    Look,
    ReleaseFinalizer,
    Wait,
    Write,
)
from windlass.operators.promotion.moves import current_phase, intend, move, note, whole_second
from windlass.operators.promotion.targets.contract import TARGET_NOT_FOUND, Fault, Sight, follows
from windlass.operators.promotion.types import OperationStatus, Promotion, TargetStatus

__all__ = ("decide",)


def decide(promotion: Promotion, facts: Facts) -> Decision:
    """What to do next."""
    phase = current_phase(promotion)
    deleting = promotion.metadata.deletion_timestamp is not None
    held = FINALIZER in promotion.metadata.finalizers
    if phases.MACHINE.is_final(phase):
        return ReleaseFinalizer() if deleting and held else Wait()
    if belongs_to_another(promotion.status.operator, facts.operator):
        if not deleting:
            return Wait()
        # It has time to take the promotion back.
        left = seconds_left_to_another(promotion.metadata.deletion_timestamp, facts.now)
        if left > 0:
            return Wait(left)
    if not held:
        # With deletion begun it is too late for a finalizer, and without one nothing was ever begun.
        return Wait() if deleting else AddFinalizer()
    if phase == phases.MACHINE.initial:
        return accept(promotion, facts)
    return _go_on(promotion, facts, phase)


def _go_on(promotion: Promotion, facts: Facts, phase: str) -> Decision:
    status, sight = promotion.status, facts.sight
    operation = status.operation
    if operation is None and phase == "RollingBack":
        return _restored(promotion, facts)
    if status.target is None or status.previous is None or operation is None:
        return _interrupt(promotion, facts, "StateCorrupt", f"the phase is {phase}, but what it needs is not on record")
    if sight is None:
        return Look()
    if isinstance(sight, Fault) and sight.reason != TARGET_NOT_FOUND:
        return note(promotion, facts, (sight.reason, sight.message))
    wrong = _wrong(status.target, operation, sight)
    if wrong is not None:
        return _interrupt(promotion, facts, *wrong)
    assert isinstance(sight, Sight)  # a fault is wrong
    on = _perform if operation.finished_at is None else _BY_PHASE[phase]
    return on(promotion, facts, sight)


def _wrong(target: TargetStatus, operation: OperationStatus, sight: Sight | Fault) -> tuple[str, str] | None:
    """Why what is there is not the target as the promotion left it (A18)."""
    if isinstance(sight, Fault):
        return "TargetGone", sight.message
    if sight.uid != target.uid:
        return "TargetReplaced", f"uid {target.uid} was expected, found {sight.uid}"
    if sight.mode != target.mode:
        return "DeploymentModeChanged", f"deployment mode {target.mode} was expected, found {sight.mode}"
    if sight.refusal is not None:
        return "TargetChanged", sight.refusal.message
    if operation.finished_at is not None and sight.generation != operation.after:
        return "TargetChanged", _other(operation.after, sight)
    return None


def _perform(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    """An operation is on record and not known to have happened."""
    operation = promotion.status.operation
    assert operation is not None  # the caller has looked
    if sight.generation == operation.before:
        # Even if it is unwanted by now: another process may be about to write it, from an older reading. Once it is
        # written nobody can write it again, and it can be taken back.
        if facts.refused is not None:
            return _refused(promotion, facts, sight, operation)
        if sight.shown:
            return _finished(promotion, facts, sight, operation)
        return Apply()
    # What the target answered to a write is known to be ours, whatever its admission made of it. Without an answer it
    # must be one change that asks for what we wanted, and for nothing else.
    answered = facts.written is not None and facts.written.generation == sight.generation
    ours = sight.shown and sight.others == operation.others_digest and follows(operation.before, sight.generation)
    if not (answered or ours):
        return _interrupt(promotion, facts, "TargetChanged", _other(operation.before, sight))
    return _finished(promotion, facts, sight, operation)


def _finished(promotion: Promotion, facts: Facts, sight: Sight, operation: OperationStatus) -> Write:
    done = attrs.evolve(operation, after=sight.generation, finished_at=whole_second(facts.now))
    return Write(attrs.evolve(promotion.status, operations=(*promotion.status.operations[:-1], done)))


def _refused(promotion: Promotion, facts: Facts, sight: Sight, operation: OperationStatus) -> Decision:
    assert facts.refused is not None  # the caller has asked
    why = (facts.refused.reason, facts.refused.message)
    if operation.name in ("withdraw", "restore"):
        # Going back is tried for as long as it takes: there is nothing better to do.
        return note(promotion, facts, why)
    return rollout.take_back(promotion, facts, sight, why)


def _roll_back(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    if not (sight.reached or _surely_back(promotion, facts, sight)):
        return note(promotion, facts, ("WaitingForRollback", f"observed {dict(sorted(sight.split.items()))}"))
    if not sight.restored:
        operations = intend(promotion, facts, name="restore", weight=0)
        return Write(attrs.evolve(promotion.status, operations=operations))
    return _restored(promotion, facts)


def _surely_back(promotion: Promotion, facts: Facts, sight: Sight) -> bool:
    """A candidate that was never seen cannot be told from what came back, except that time has passed in peace."""
    unseen = promotion.status.candidate is None and sight.steady
    return unseen and rollout.age(promotion, facts) > promotion.spec.guards.progress_deadline


def _restored(promotion: Promotion, facts: Facts) -> Write:
    status = promotion.status
    cause = ("RolledBack", "") if status.cause is None else (status.cause.reason, status.cause.message)
    return move(promotion, facts, "restore", cause)


def _interrupt(promotion: Promotion, facts: Facts, reason: str, message: str) -> Write:
    return move(promotion, facts, "interrupt", (reason, f"{message}; nothing more is written to the target"))


def _other(expected: str, sight: Sight) -> str:
    return f"somebody else changed the target: generation {expected} was expected, found {sight.generation}"


_BY_PHASE: Final[Mapping[str, Callable[[Promotion, Facts, Sight], Decision]]] = {
    "Shifting": rollout.shift,
    "Holding": rollout.hold,
    "Paused": rollout.stay,
    "Promoting": rollout.promote,
    "RollingBack": _roll_back,
}
