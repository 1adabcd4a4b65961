"""What is told about a promotion follows from its journal: one Event a transition, under a lasting name (D4).

An Event is told after the status is written; telling it again is harmless, and a crash between the two loses nothing.
This module does not know how an Event is recorded.
"""

from datetime import datetime
from typing import Final

from windlass.operators.ownership import belongs_to_another, told_elsewhere
from windlass.operators.promotion import phases
from windlass.operators.promotion.moves import current_phase
from windlass.operators.promotion.types import JournalEntry, Promotion
from windlass.operators.telling import KEPT, Telling

__all__ = ("tellings",)

_BAD: Final = ("Failed", "RollingBack", "RolledBack", "Interrupted")


def tellings(promotion: Promotion, now: datetime, *, operator: str = "") -> tuple[Telling, ...]:
    """The Events of the transitions in the journal that are not too old, the oldest first.

    Of a promotion that another than `operator` works, only that.
    """
    theirs = promotion.status.operator
    if belongs_to_another(theirs, operator):
        return (
            ()
            if phases.MACHINE.is_final(current_phase(promotion))
            else (told_elsewhere("promotion", theirs, operator),)
        )
    return tuple(_telling(entry) for entry in promotion.status.journal if now - entry.at < KEPT)


def _telling(entry: JournalEntry) -> Telling:
    # Steps repeat a transition: the digest of the status before it tells them apart, and is the same for every teller.
    dedupe = f"{entry.source}/{entry.cause}/{entry.digest[-16:]}"
    message = f"{entry.reason}: {entry.message}" if entry.reason != entry.target else entry.message
    return Telling(entry.target, message, dedupe, "Warning" if entry.target in _BAD else "Normal")
