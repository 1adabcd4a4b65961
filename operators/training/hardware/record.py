"""What is on record of a placement is enough to render it again, byte for byte, and never longer than it may be.

This module does not know when anything is recorded.
"""

from typing import Final

from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.registry import HardwareRegistry, class_of, profiles_of
from windlass.operators.training.hardware.types import (
    EXPLANATION_LENGTH_MAX,
    NODES_TOLD_MAX,
    DomainStatus,
    HardwareSpec,
    HardwareStatus,
)

__all__ = ("MESSAGE_LENGTH_MAX", "differs", "placed", "recorded", "unplaced")

MESSAGE_LENGTH_MAX: Final = 1024


def placed(found: Placement, attempt: int) -> HardwareStatus:
    """The record of a placement."""
    chosen = f"{found.of.name}: Chosen: {found.message}"
    return HardwareStatus(
        attempt=attempt,
        class_=found.of.name,
        message=_cut(found.message, MESSAGE_LENGTH_MAX),
        form=found.form,
        claim_version=found.claim_version,
        models=found.models,
        nodes=tuple(sorted(set(found.nodes)))[:NODES_TOLD_MAX],
        domain=found.domain or DomainStatus(),
        explanation=tuple(_cut(line, EXPLANATION_LENGTH_MAX) for line in (*map(str, found.rejected), chosen)),
    )


def unplaced(found: Unplaceable, attempt: int) -> HardwareStatus:
    """The record of why there is no placement."""
    return HardwareStatus(
        attempt=attempt,
        message=_cut(f"{found.reason}: {found.message}", MESSAGE_LENGTH_MAX),
        explanation=tuple(_cut(str(one), EXPLANATION_LENGTH_MAX) for one in found.rejected),
    )


def recorded(spec: HardwareSpec, record: HardwareStatus, registry: HardwareRegistry, *, claim: str) -> Placement:
    """The placement that is on record. Raises HardwareInvalid for a class that nobody knows any more."""
    return Placement(
        of=class_of(record.class_, registry),
        spec=spec,
        nodes=record.nodes,
        models=record.models,
        domain=record.domain if record.domain.label else None,
        claim_version=record.claim_version,
        claim=claim,
        profiles=profiles_of(registry),
        message=record.message,
    )


def differs(record: HardwareStatus, found: Placement) -> bool:
    """Whether a Pod that waits in vain where the record has it could go where the placement is."""
    fresh = placed(found, record.attempt)
    was = record.domain if record.domain.required else None
    will = fresh.domain if fresh.domain.required else None
    return (record.class_, record.models, was) != (fresh.class_, fresh.models, will)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
