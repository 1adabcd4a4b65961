"""What a user wants of a job that is under way comes before what its phase asks for, and ends work before it says so.

Both hold while there is no result: a job that has trained goes on to its end, unless it is cancelled before its model
has passed (A12). This module does not know how work is ended.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.attempts import close_attempt, evolve_attempt, latest
from windlass.operators.training.decision.facts import Decision, Facts, Halt, Observe, Wait
from windlass.operators.training.decision.moves import move
from windlass.operators.training.executors.contract import Broken, Done
from windlass.operators.training.types import TrainingJob
from windlass.statemachine.conditions import Condition

__all__ = ("stay", "steer")

# Which condition says what was going on in a phase.
_STEPS: Final[Mapping[str, str]] = {"VerifyingData": phases.DATA_VERIFIED, "Validating": phases.VALIDATED}


def steer(job: TrainingJob, facts: Facts, phase: str) -> Decision | None:
    """What the spec's `cancel` and `suspend` call for in this phase; None if that is nothing."""
    if job.spec.cancel and phases.MACHINE.allows(phase, "cancel"):
        return _cancel(job, facts, phase)
    if job.spec.suspend and phases.MACHINE.allows(phase, "suspend"):
        return _suspend(job, facts, phase)
    return None


def stay(job: TrainingJob, facts: Facts) -> Decision:
    """Remain suspended, with nothing at work, until that is taken back."""
    if not job.spec.suspend:
        return move(job, facts, "resume", Condition(phases.TRAINED, "Unknown", "Resumed", "waits to go on"))
    # Again, whoever woke the job: nothing works on a job that is suspended.
    return Halt() if job.status.run is not None and not facts.halted else Wait()


def _cancel(job: TrainingJob, facts: Facts, phase: str) -> Decision:
    if job.status.run is not None and not facts.halted:
        return Halt(for_good=True)
    ended = close_attempt(job.status, "Cancelled", at=facts.now)
    step = _STEPS.get(phase, phases.TRAINED)
    message = "as the spec asked for"
    return move(attrs.evolve(job, status=ended), facts, "cancel", Condition(step, "Unknown", "Cancelled", message))


def _suspend(job: TrainingJob, facts: Facts, phase: str) -> Decision | None:
    status, attempt = job.status, latest(job.status)
    if phase == "Running" and attempt is not None:
        if facts.observation is None:
            return Observe()
        if isinstance(facts.observation, Done | Broken):
            return None  # it has come to its end before
        if not facts.halted:
            return Halt()
        status = evolve_attempt(status, suspended=True)
    suspended = Condition(phases.TRAINED, "Unknown", "Suspended", "as the spec asked for")
    return move(attrs.evolve(job, status=status), facts, "suspend", suspended)
