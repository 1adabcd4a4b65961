"""Whether an attempt that ended without a result is followed by another, and from when on, is for the job to say (A9).

This module does not know how the end of an attempt is seen.
"""

from datetime import datetime

import attrs

from windlass.operators.training.decision.attempts import pause
from windlass.operators.training.decision.moves import next_second, whole_second
from windlass.operators.training.executors.contract import Broken, Lost, Observation
from windlass.operators.training.types import AttemptStatus, Retries, RunStatus

__all__ = ("begin_after", "code_of", "in_words_of")


def in_words_of(retries: Retries, seen: Observation) -> Observation:
    """What was seen, as the job takes it: other exit codes may be worth another try, and disruptions may count."""
    code = code_of(seen)
    if isinstance(seen, Broken) and code is not None and code in retries.retryable_exit_codes:
        return Lost(seen.fault.message, counted=True, resume_step=seen.resume_step, exit=seen.exit)
    if isinstance(seen, Lost) and seen.exit is not None and seen.exit.meaning == "disrupted":
        return attrs.evolve(seen, counted=retries.count_disruptions)
    return seen


def code_of(seen: Observation) -> int | None:
    """The exit code with which the attempt ended, if somebody saw one."""
    return seen.exit.code if isinstance(seen, Broken | Lost) and seen.exit is not None else None


def begin_after(retries: Retries, run: RunStatus, attempt: AttemptStatus, lost: Lost, *, now: datetime) -> datetime:
    """From when on the next attempt may run; `run` counts the failures up to this one. Whole seconds, never early."""
    if lost.counted:
        return next_second(now + pause(retries, run.id, run.failures))
    if lost.exit is None:  # it went down with the controller
        return whole_second(now)
    # Or what is taken away as soon as it comes would be made again without end or pause.
    return max(whole_second(now), next_second(attempt.started_at + min(retries.base, retries.maximum)))
