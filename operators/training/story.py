"""What is told about a job is a function of its status: one Event a transition, under a name no crash can change (D4).

So an Event is told after the status is written, telling it again is harmless, and a crash between the two loses
nothing. This module does not know how an Event is recorded.
"""

from collections.abc import Iterator
from datetime import datetime

from windlass.operators.telling import KEPT, Telling
from windlass.operators.training import phases
from windlass.operators.training.types import TrainingJob
from windlass.statemachine.conditions import Conditions

__all__ = ("recent", "tellings")


def tellings(job: TrainingJob) -> tuple[Telling, ...]:
    """Every Event that the status calls for, in the order in which things happened."""
    status = job.status
    if not status.conditions:
        return ()
    conditions = Conditions.of(status.conditions)
    generation = status.life_generation
    told: list[Telling] = []

    def tell(reason: str, message: str, *, step: str) -> None:
        told.append(Telling(reason, message, f"{generation}/{step}"))

    verified = conditions.get(phases.DATA_VERIFIED)
    if conditions.is_true(phases.ACCEPTED):
        tell("VerifyingData", f"verifying version {job.spec.data.version} of {job.spec.data.uri}", step="accept")
    if verified is not None and verified.status == "True":
        tell("DataVerified", verified.message, step="pin")
    run = status.run
    if run is not None and run.generation == generation:
        tell("TrainingStarted", f"run {run.id} with executor {run.executor}", step="start")
        if run.attempt > 1:
            tell(
                "TrainingResumed",
                f"attempt {run.attempt} of run {run.id} resumes from step {run.resumed_from_step}",
                step=f"resume/{run.attempt}",
            )
    for step, reason in ((phases.TRAINED, "Trained"), (phases.VALIDATED, "Validated"), (phases.PUBLISHED, "Published")):
        found = conditions.get(step)
        if found is not None and found.status == "True":
            tell(reason, found.message, step=step)
    suspended = conditions.get(phases.SUSPENDED)
    if suspended is not None and suspended.status == "True":
        tell("Suspended", "as the spec asked for", step=f"suspend/{suspended.last_transition_time:%Y%m%dT%H%M%SZ}")
    promotion = status.promotion
    if promotion is not None and promotion.uid:
        tell("Promoting", f"promotion {promotion.name} of the published model", step="promote")
    return (*told, *_end(conditions, generation))


def _end(conditions: Conditions, generation: int) -> Iterator[Telling]:
    ended = conditions.get(phases.SUCCEEDED)
    if ended is None or ended.status == "Unknown":
        return
    told = f"{generation}/end"
    if ended.status == "True":
        promoted = conditions.is_true(phases.PROMOTED)
        yield Telling("Succeeded", ended.message if promoted else f"published {ended.message}", told)
    else:
        yield Telling(
            ended.reason, ended.message, told, "Normal" if conditions.is_true(phases.CANCELLED) else "Warning"
        )


def recent(job: TrainingJob, now: datetime) -> bool:
    """Whether the job's Events can be told again without making second ones: it goes on, or ended a short while ago."""
    ended = Conditions.of(job.status.conditions).get(phases.SUCCEEDED)
    if ended is None or ended.status == "Unknown":
        return True
    # The latest of all: a job that failed twice in a row has kept the time of its first failure (C-12).
    times = [one.last_transition_time for one in job.status.conditions if one.last_transition_time is not None]
    return not times or now - max(times) < KEPT
