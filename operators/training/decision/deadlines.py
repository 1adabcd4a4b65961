"""Time is counted from moments on record: a restart makes no deadline longer and none shorter (G5).

This module does not know how work is ended or a job deleted.
"""

import math
from datetime import datetime, timedelta

from windlass.operators.training.decision.facts import Expire, Facts, Wait
from windlass.operators.training.types import TrainingJob

__all__ = ("outlive", "seconds_left")


def seconds_left(job: TrainingJob, now: datetime) -> float:
    """How long training may still take: 0 if its time is over, infinity if nobody set a deadline."""
    run, limit = job.status.run, job.spec.active_deadline_seconds
    if run is None or run.active_since is None or limit is None:
        return math.inf
    return max(0.0, (run.active_since + timedelta(seconds=limit) - now).total_seconds())


def outlive(job: TrainingJob, facts: Facts) -> Expire | Wait:
    """What becomes of a job that has come to its end."""
    ended, kept = job.status.finished_at, job.spec.ttl_seconds_after_finished
    if ended is None or kept is None:
        return Wait()
    left = (ended + timedelta(seconds=kept) - facts.now).total_seconds()
    return Wait(left) if left > 0 else Expire()
