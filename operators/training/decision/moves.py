"""A status after a row of the table, with its conditions and its line in the journal; no other way leads to a phase.

This module does not know when a move is due.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.facts import Decision, Facts, Retry, Write
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.life import same_life
from windlass.operators.training.types import JournalEntry, TrainingJob
from windlass.statemachine.conditions import Condition, Conditions, Status
from windlass.statemachine.journal import digest

__all__ = (
    "JOURNAL_LENGTH_MAX",
    "catch_up",
    "current_phase",
    "fail",
    "fail_or_retry",
    "move",
    "next_second",
    "say",
    "whole_second",
)

JOURNAL_LENGTH_MAX: Final = 24  # two whole lives and some resumptions, in about 6 kB


def current_phase(job: TrainingJob) -> str:
    """The phase of this life: Pending while the status still speaks of other work than the spec (C-25)."""
    if not same_life(job):
        return phases.MACHINE.initial
    return phases.phase_of(Conditions.of(job.status.conditions))


def move(job: TrainingJob, facts: Facts, event: str, observed: Condition, **changes: Any) -> Write:
    """The status after a row of the table. Raises IllegalTransition, which is a bug here and changes nothing."""
    target = phases.MACHINE.next(current_phase(job), event)
    final, failed, suspended = phases.MACHINE.is_final(target), target == "Failed", target == "Suspended"
    ended: Status = ("True" if target == "Succeeded" else "False") if final else "Unknown"
    reason = observed.reason if failed else target
    message = observed.message if final else ""
    conditions = Conditions.of(job.status.conditions)
    for one in (
        *_unknown(job, conditions),
        observed,
        Condition(phases.SUSPENDED, "True" if suspended else "False", reason),
        Condition(phases.CANCELLED, "True" if target == "Cancelled" else "False", reason),
        Condition(phases.SUCCEEDED, ended, reason, message),
        Condition(phases.RECONCILING, "False" if final or suspended else "True", reason),
        Condition(phases.STALLED, "True" if failed else "False", reason, message if failed else ""),
    ):
        stamped = attrs.evolve(one, observed_generation=job.metadata.generation)
        conditions = conditions.set(stamped, now=facts.now)
    journal = (*job.status.journal, _entry(job, facts, event, target))[-JOURNAL_LENGTH_MAX:]
    ended_at = next_second(facts.now) if final else None
    after = attrs.evolve(job.status, phase=target, conditions=tuple(conditions), journal=journal, finished_at=ended_at)
    return Write(attrs.evolve(after, **changes))


def _entry(job: TrainingJob, facts: Facts, event: str, target: str) -> JournalEntry:
    return JournalEntry(
        at=whole_second(facts.now),
        source=current_phase(job),
        target=target,
        cause=event,
        generation=job.status.life_generation,
        trace_id=facts.trace_id,
        writer=facts.writer,
        version_before=job.metadata.resource_version,
        digest=digest(attrs.asdict(attrs.evolve(job.status, journal=()))),
    )


def _unknown(job: TrainingJob, conditions: Conditions) -> tuple[Condition, ...]:
    """Every condition from the first visit on, if only as Unknown (C-21)."""
    steps = phases.STEPS if job.spec.promotion is not None else phases.STEPS[:-1]
    return tuple(Condition(step, "Unknown", "Waiting") for step in steps if conditions.get(step) is None)


def catch_up(job: TrainingJob, facts: Facts) -> Write:
    """The status of the same life, told of the spec as it is now: what was observed of the work still holds (G4)."""
    generation = job.metadata.generation
    conditions = Conditions.of(job.status.conditions)
    for one in job.status.conditions:
        conditions = conditions.set(attrs.evolve(one, observed_generation=generation), now=facts.now)
    retry = job.spec.retry_generation
    seen = attrs.evolve(
        job.status, observed_generation=generation, retry_generation=retry, conditions=tuple(conditions)
    )
    return Write(seen)


def fail(job: TrainingJob, facts: Facts, step: str, fault: Fault) -> Write:
    """The job has failed, at `step`, which is the type of a condition."""
    return move(job, facts, "fail", Condition(step, "False", fault.reason, fault.message))


def fail_or_retry(job: TrainingJob, facts: Facts, step: str, fault: Fault) -> Decision:
    """Fail, or if trying again may help: say what is being waited for, once; then try again."""
    if not fault.retryable:
        return fail(job, facts, step, fault)
    waiting = Condition(step, "Unknown", fault.reason, fault.message)
    return say(job, facts, waiting) or Retry(fault.message)


def say(job: TrainingJob, facts: Facts, condition: Condition) -> Write | None:
    """The status with this condition; None if it says so already."""
    stamped = attrs.evolve(condition, observed_generation=job.metadata.generation)
    before = Conditions.of(job.status.conditions)
    after = before.set(stamped, now=facts.now)
    return None if after is before else Write(attrs.evolve(job.status, conditions=tuple(after)))


def whole_second(moment: datetime) -> datetime:
    """What survives the trip to the server and back."""
    return moment.replace(microsecond=0)


def next_second(moment: datetime) -> datetime:
    """The same, but never before the moment: what is counted from it is not cut short (G5)."""
    whole = whole_second(moment)
    return whole if whole == moment else whole + timedelta(seconds=1)
