"""A status after a row of the table, with its conditions and its line in the journal; no other way leads to a phase.

This module does not know when a move is due.
"""

from datetime import datetime
from typing import Any, Final

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.facts import Decision, Facts, Retry, Write
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.types import JournalEntry, TrainingJob
from windlass.statemachine.conditions import Condition, Conditions, Status
from windlass.statemachine.journal import digest

__all__ = ("JOURNAL_LENGTH_MAX", "current_phase", "fail", "fail_or_retry", "move", "say", "whole_second")

JOURNAL_LENGTH_MAX: Final = 24  # two whole lives and some resumptions, in about 6 kB


def current_phase(job: TrainingJob) -> str:
    """The phase of this generation: Pending while the status still speaks of an older one (C-25)."""
    if job.status.observed_generation != job.metadata.generation:
        return phases.MACHINE.initial
    return phases.phase_of(Conditions.of(job.status.conditions))


def move(job: TrainingJob, facts: Facts, event: str, observed: Condition, **changes: Any) -> Write:
    """The status after a row of the table. Raises IllegalTransition, which is a bug here and changes nothing."""
    target = phases.MACHINE.next(current_phase(job), event)
    ended: Status = "True" if target == "Succeeded" else "False" if target == "Failed" else "Unknown"
    reason = observed.reason if target == "Failed" else target
    message = observed.message if ended != "Unknown" else ""
    conditions = Conditions.of(job.status.conditions)
    for one in (
        *_unknown(conditions),
        observed,
        Condition(phases.SUCCEEDED, ended, reason, message),
        Condition(phases.RECONCILING, "True" if ended == "Unknown" else "False", reason),
        Condition(
            phases.STALLED, "True" if target == "Failed" else "False", reason, message if target == "Failed" else ""
        ),
    ):
        stamped = attrs.evolve(one, observed_generation=job.metadata.generation)
        conditions = conditions.set(stamped, now=facts.now)
    journal = (*job.status.journal, _entry(job, facts, event, target))[-JOURNAL_LENGTH_MAX:]
    return Write(attrs.evolve(job.status, phase=target, conditions=tuple(conditions), journal=journal, **changes))


def _entry(job: TrainingJob, facts: Facts, event: str, target: str) -> JournalEntry:
    return JournalEntry(
        at=whole_second(facts.now),
        source=current_phase(job),
        target=target,
        cause=event,
        generation=job.metadata.generation,
        trace_id=facts.trace_id,
        writer=facts.writer,
        version_before=job.metadata.resource_version,
        digest=digest(attrs.asdict(attrs.evolve(job.status, journal=()))),
    )


def _unknown(conditions: Conditions) -> tuple[Condition, ...]:
    """Every condition from the first visit on, if only as Unknown (C-21)."""
    steps = (phases.ACCEPTED, phases.DATA_VERIFIED, phases.TRAINED, phases.VALIDATED, phases.PUBLISHED)
    return tuple(Condition(step, "Unknown", "Waiting") for step in steps if conditions.get(step) is None)


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
