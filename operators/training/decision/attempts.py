"""Attempts are recorded one after another: each is opened once, with the step it resumes from, and closed once (A8).

This module does not know why another attempt is made.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

import attrs

from windlass.operators.training.decision.moves import whole_second
from windlass.operators.training.identity import operation_id
from windlass.operators.training.types import (
    ATTEMPTS_LENGTH_MAX,
    AttemptStatus,
    Retries,
    RunStatus,
    TrainingJobStatus,
)

__all__ = ("close_attempt", "evolve_attempt", "latest", "open_attempt", "pause")

Outcome = Literal["Succeeded", "Failed", "Lost", "Suspended", "Cancelled"]


def latest(status: TrainingJobStatus) -> AttemptStatus | None:
    """The attempt on record, if it has a record of its own."""
    return status.attempts[-1] if status.attempts else None


def open_attempt(status: TrainingJobStatus, run: RunStatus, *, at: datetime) -> TrainingJobStatus:
    """The status with `run`, whose attempt may run from `at` on, which is a whole second."""
    opened = AttemptStatus(run.attempt, run.op_id, at, run.resumed_from_step)
    return attrs.evolve(status, run=run, attempts=(*status.attempts, opened)[-ATTEMPTS_LENGTH_MAX:])


def close_attempt(
    status: TrainingJobStatus, outcome: Outcome, message: str = "", *, at: datetime, **changes: Any
) -> TrainingJobStatus:
    """The status whose attempt on record has ended, with other `changes`; one that had ended before stays as it is."""
    attempt = latest(status)
    if attempt is None or attempt.finished_at is not None:
        return status
    ended = {"outcome": outcome, "message": message, "suspended": False, "finished_at": whole_second(at)}
    return evolve_attempt(status, **ended, **changes)


def evolve_attempt(status: TrainingJobStatus, **changes: Any) -> TrainingJobStatus:
    """The status with these changes to the attempt on record; there must be one."""
    return attrs.evolve(status, attempts=(*status.attempts[:-1], attrs.evolve(status.attempts[-1], **changes)))


def pause(retries: Retries, run: str, failures: int) -> timedelta:
    """How long to wait after that many failures, at least one (A9): neither a clock nor chance is asked."""
    whole = min(retries.maximum.total_seconds(), retries.base.total_seconds() * 2.0 ** min(failures - 1, 64))
    share = int(operation_id(run, "pause", failures)[:8], 16) / 2**32
    return timedelta(seconds=whole * (1 - retries.jitter * share))
