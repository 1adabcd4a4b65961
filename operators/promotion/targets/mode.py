"""A deployment mode is how KServe splits traffic: which fields of the spec say so, and where the status answers.

Everything here is pure. `sight_of` is the one place where what a mode sees becomes a `Sight`.
"""

from collections.abc import Mapping
from typing import Protocol

import attrs

from windlass.operators.promotion.targets.contract import Fault, Json, Plan, Sight, Trouble
from windlass.operators.promotion.types import OperationStatus, PreviousStatus
from windlass.statemachine.journal import digest

__all__ = ("Mode", "Seen", "sight_of")


@attrs.frozen
class Seen:
    """What a status says; the fields are those of `Sight`."""

    unsettled: str
    candidate: str
    split: Mapping[str, int]
    reached: bool
    trouble: Trouble | None
    steady: bool = False


class Mode(Protocol):
    """One way to split traffic."""

    @property
    def name(self) -> str:
        """As `status.deploymentMode` has it today."""

    def refusal(self, found: Json, plan: Plan) -> Fault | None:
        """Why the release cannot be promoted here at all."""

    def previous(self, found: Json, plan: Plan) -> PreviousStatus:
        """What to go back to, from what is there now."""

    def changed(self, spec: Json, plan: Plan, operation: OperationStatus) -> Json:
        """The spec after the operation; the same again if it is so already."""

    def others(self, spec: Json, plan: Plan) -> Json:
        """The spec without what a promotion owns."""

    def seen(self, found: Json, plan: Plan) -> Seen:
        """What the status says."""


def sight_of(mode: Mode, found: Json, plan: Plan) -> Sight:
    """One look at an InferenceService."""
    metadata, spec = found["metadata"], found["spec"]
    refused = mode.refusal(found, plan)
    sight = Sight(
        uid=str(metadata["uid"]),
        mode=mode.name,
        generation=str(metadata.get("generation", 0)),
        others="",
        previous=PreviousStatus("", ""),
        refusal=refused,
        found=found,
    )
    if refused is not None:
        return sight
    seen, previous = mode.seen(found, plan), mode.previous(found, plan)
    operation = plan.operation
    restore = None if operation is None else attrs.evolve(operation, name="restore")
    return attrs.evolve(
        sight,
        others=digest(mode.others(spec, plan)),
        previous=previous,
        serves=previous.release == plan.value and not seen.unsettled and not previous.first,
        unsettled=seen.unsettled,
        candidate=seen.candidate,
        split=seen.split,
        shown=operation is not None and mode.changed(spec, plan, operation) == spec,
        reached=seen.reached,
        restored=restore is None or mode.changed(spec, plan, restore) == spec,
        trouble=seen.trouble,
        steady=seen.steady,
    )
