"""What comes first: a deletion, then the end that a job may have come to, then how it is steered, then its phase.

This module does not know what a phase asks for.
"""

from collections.abc import Callable, Mapping
from typing import Final

from windlass.operators.ownership import seconds_left_to_another
from windlass.operators.training import phases
from windlass.operators.training.decision.acceptance import accept, verify
from windlass.operators.training.decision.deadlines import outlive
from windlass.operators.training.decision.facts import (
    FINALIZER,
    AddFinalizer,
    Decision,
    Discard,
    Facts,
    ReleaseFinalizer,
    Wait,
)
from windlass.operators.training.decision.handoff import card, promote
from windlass.operators.training.decision.integrity import doubt
from windlass.operators.training.decision.moves import catch_up, current_phase
from windlass.operators.training.decision.proof import publish, validate
from windlass.operators.training.decision.steering import stay, steer
from windlass.operators.training.decision.training import begin, follow
from windlass.operators.training.identity import run_id
from windlass.operators.training.life import same_life, worked_elsewhere
from windlass.operators.training.types import TrainingJob

__all__ = ("decide",)


def decide(job: TrainingJob, facts: Facts) -> Decision:
    """What to do next."""
    if job.metadata.deletion_timestamp is not None:
        return _let_go(job, facts)
    held = Wait() if worked_elsewhere(job, facts.operator) else doubt(job, facts)
    if held is not None:
        return held
    phase = current_phase(job)
    if same_life(job) and job.status.observed_generation != job.metadata.generation:
        return catch_up(job, facts)
    if phases.MACHINE.is_final(phase):
        return outlive(job, facts)
    if FINALIZER not in job.metadata.finalizers:
        return AddFinalizer()
    return steer(job, facts, phase) or _BY_PHASE[phase](job, facts)


def _let_go(job: TrainingJob, facts: Facts) -> Decision:
    if FINALIZER not in job.metadata.finalizers:
        return Wait()
    if worked_elsewhere(job, facts.operator):
        # It has time to end its trainer.
        left = seconds_left_to_another(job.metadata.deletion_timestamp, facts.now)
        if left > 0:
            return Wait(left)
    # Not only the run on record: a run can be named for every generation there ever was, so none is forgotten.
    runs = (run_id(job.metadata.uid, generation) for generation in range(1, job.metadata.generation + 1))
    undone = tuple(run for run in runs if run not in facts.discarded)
    return Discard(undone) if undone else ReleaseFinalizer()


_BY_PHASE: Final[Mapping[str, Callable[[TrainingJob, Facts], Decision]]] = {
    "Pending": accept,
    "VerifyingData": verify,
    "Queued": begin,
    "Running": follow,
    "Suspended": stay,
    "Validating": validate,
    "Publishing": publish,
    "Carding": card,
    "Promoting": promote,
}
