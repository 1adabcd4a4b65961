"""A status that contradicts itself, or speaks of another job, is believed in nothing: work stops, and nothing is reset.

It comes about by hands, by restores of backups into another cluster, and by mistakes of ours. Who acts on it would
write into another job's run, or train again what has been trained (G4). Pure. This module does not know who puts it
right.
"""

from typing import Final

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.facts import Facts, Wait, Write
from windlass.operators.training.decision.moves import current_phase
from windlass.operators.training.identity import operation_id, run_id
from windlass.operators.training.types import TrainingJob
from windlass.statemachine.conditions import Condition, Conditions, Status

__all__ = ("STATE_CORRUPT", "doubt", "fault_in")

STATE_CORRUPT: Final = "StateCorrupt"

_NEED_DATA: Final = ("Queued", "Running", "Suspended", "Validating", "Publishing", "Carding", "Promoting")
_NEED_RUN: Final = ("Running", "Validating", "Publishing", "Carding", "Promoting")


def fault_in(job: TrainingJob) -> str | None:
    """What is wrong with the status, if anything: the field, what was found, and what was expected.

    A job that has ended is not looked at: nothing is done for it any more.
    """
    status, generation = job.status, job.metadata.generation
    for name, found in (("observedGeneration", status.observed_generation), ("lifeGeneration", status.life_generation)):
        if found > generation:
            return f"status.{name}: expected at most metadata.generation, which is {generation}, found {found}"
    phase = current_phase(job)
    if phases.MACHINE.is_final(phase):
        return None
    if phase == phases.MACHINE.initial and status.run is not None and status.observed_generation == generation:
        # Reading it as a job that has not begun would train again.
        return f"status.conditions: expected those of the run {status.run.id}, which is on record, found none of them"
    if phase in _NEED_DATA and status.data is None:
        return f"status.data: expected a pinned version in the phase {phase}, found none"
    if phase in _NEED_RUN and status.run is None:
        return f"status.run: expected a run on record in the phase {phase}, found none"
    return _fault_in_run(job)


def _emptied(job: TrainingJob, traces: tuple[str, ...]) -> str | None:
    """A run is on record before it has a folder: a status that knows of none is no beginning, and would train again."""
    if not traces or job.status.observed_generation != 0:
        return None
    return (
        f"status: expected the record of the run {traces[-1]}, which has left its folder, found none; put the status "
        "back as it was, or delete the job and create it anew"
    )


def _fault_in_run(job: TrainingJob) -> str | None:
    run = job.status.run
    if run is None:
        return None
    ours = run_id(job.metadata.uid, run.generation)
    if run.id != ours:
        return f"status.run.id: expected {ours}, which follows from this job's uid, found {run.id}"
    operation = operation_id(run.id, "train", run.attempt)
    if run.op_id != operation:
        return f"status.run.opId: expected {operation}, which follows from run and attempt, found {run.op_id}"
    return None


def doubt(job: TrainingJob, facts: Facts) -> Write | Wait | None:
    """Say what is wrong, once, and wait until it is put right; then take that back. None if all is well."""
    fault = _emptied(job, facts.traces) or fault_in(job)
    if fault is not None:
        return _said(job, facts, STATE_CORRUPT, fault) or Wait()
    found = Conditions.of(job.status.conditions).get(STATE_CORRUPT)
    return _said(job, facts, "Repaired", "") if found is not None and found.status == "True" else None


def _said(job: TrainingJob, facts: Facts, reason: str, message: str) -> Write | None:
    corrupt: Status = "True" if message else "False"
    before = after = Conditions.of(job.status.conditions)
    for one in (
        Condition(STATE_CORRUPT, corrupt, reason, message),
        Condition(phases.STALLED, corrupt, reason, message),
        Condition(phases.RECONCILING, "False" if message else "True", reason),
    ):
        after = after.set(attrs.evolve(one, observed_generation=job.metadata.generation), now=facts.now)
    return None if after is before else Write(attrs.evolve(job.status, conditions=tuple(after)))
