"""An attempt has its place on record before it is started, and keeps it until it ends, or waits in vain (G1, C2).

This module does not know how a place is found, nor how it is written into a Pod.
"""

from typing import Final

import attrs

from windlass.operators.training.decision.facts import ChooseHardware, Decision, Facts, Wait, Write
from windlass.operators.training.decision.moves import fail_or_retry, say
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.record import differs, placed, unplaced
from windlass.operators.training.hardware.types import HardwareStatus
from windlass.operators.training.types import TrainingJob
from windlass.statemachine.conditions import Condition, Conditions

__all__ = ("LOOK_AGAIN_FOR_ROOM_SECONDS", "PLACED", "elsewhere", "place_first", "relocated")

PLACED: Final = "Placed"
LOOK_AGAIN_FOR_ROOM_SECONDS: Final = 30.0  # a change of the nodes wakes the job; this is for a wake-up that was lost


def place_first(job: TrainingJob, facts: Facts, attempt: int) -> Decision | None:
    """What has to be done before the attempt may begin; None once it has its place, or needs none."""
    record = job.status.hardware
    if job.spec.hardware is None or (record is not None and record.attempt == attempt and record.class_):
        return None
    match facts.placement:
        case None:
            return ChooseHardware()
        case Fault() as fault:
            return fail_or_retry(job, facts, PLACED, fault)
        case Unplaceable() as found:
            told = unplaced(found, attempt)
            waiting = Condition(PLACED, "False", found.reason, told.message)
            return _written(job, facts, told, waiting) or Wait(LOOK_AGAIN_FOR_ROOM_SECONDS)
        case Placement() as found:
            told = placed(found, attempt)
            return _written(job, facts, told, Condition(PLACED, "True", "Placed", f"{told.class_}: {told.message}"))


def elsewhere(job: TrainingJob, facts: Facts) -> Decision | HardwareStatus | None:
    """Of an attempt whose Pods wait: where its successor is to go; None if it had better go on waiting.

    A question if that is to be found out first. What is in the way of finding out is no reason to give up waiting.
    """
    wanted, record = job.spec.hardware, job.status.hardware
    if wanted is None or record is None or not record.class_ or not wanted.move_while_pending:
        return None
    if facts.placement is None:
        return ChooseHardware()
    if isinstance(facts.placement, Placement) and differs(record, facts.placement):
        return placed(facts.placement, record.attempt + 1)
    return None


def relocated(job: TrainingJob, facts: Facts, told: HardwareStatus) -> TrainingJob:
    """The job with this record of its place, and the condition that says so."""
    condition = Condition(
        PLACED, "True", "Placed", f"{told.class_}: {told.message}", observed_generation=job.metadata.generation
    )
    conditions = Conditions.of(job.status.conditions).set(condition, now=facts.now)
    return attrs.evolve(job, status=attrs.evolve(job.status, hardware=told, conditions=tuple(conditions)))


def _written(job: TrainingJob, facts: Facts, told: HardwareStatus, condition: Condition) -> Write | None:
    """The status with this record and this condition; None if it says so already."""
    changed = attrs.evolve(job, status=attrs.evolve(job.status, hardware=told))
    write = say(changed, facts, condition)
    return write or (None if told == job.status.hardware else Write(changed.status))
