"""An object belongs to the operator whose name its status has; others leave it alone, and say so, but not for ever.

The name is written by the same conditional write that begins the work, so of two operators one begins. It is the field
manager, which replicas share and a restart keeps. Pure.
"""

from datetime import datetime, timedelta
from typing import Final

from windlass.operators.telling import Telling

__all__ = ("PATIENCE", "belongs_to_another", "seconds_left_to_another", "told_elsewhere")

PATIENCE: Final = timedelta(seconds=60)
"""How long an operator has to let go of an object that is being deleted. One that is gone must not hold it for ever."""


def belongs_to_another(recorded: str, operator: str) -> bool:
    """Whether the name on record, "" for none, is another's."""
    return recorded not in ("", operator)


def seconds_left_to_another(deleted_at: datetime | None, now: datetime) -> float:
    """How long the other one still has; 0 or less: no longer, or nothing is being deleted."""
    return 0.0 if deleted_at is None else (deleted_at + PATIENCE - now).total_seconds()


def told_elsewhere(noun: str, theirs: str, operator: str) -> Telling:
    """Why `operator` does nothing for this object of `theirs`, a `job` or another noun."""
    message = (
        f"the operator {theirs} works this {noun}, so {operator} leaves it alone: run one of them only; if {theirs} is "
        f"gone for good, remove status.operator or create the {noun} anew"
    )
    return Telling("WorkedElsewhere", message, f"elsewhere/{theirs}/{operator}", "Warning")
