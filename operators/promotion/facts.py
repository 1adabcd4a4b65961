"""What a decision is made from, and what it can be: frozen values, no more.

None is "not looked yet": a decision that needs a fact asks for it, and is made again once it is there.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

import attrs

from windlass.operators.promotion.checks import Reading
from windlass.operators.promotion.targets.contract import Fault, Sight, Written
from windlass.operators.promotion.types import PromotionStatus

__all__ = (
    "FINALIZER",
    "AddFinalizer",
    "Apply",
    "Decision",
    "Facts",
    "Look",
    "Measure",
    "Question",
    "ReleaseFinalizer",
    "Wait",
    "Write",
)

FINALIZER: Final = "ai.windlass.dev/promotion"


@attrs.frozen(kw_only=True)
class Facts:
    """What was seen so far in this run of the reconciler.

    `refused` and `written` are what the target answered to a write in this very run. `operator` is the field manager
    of who decides; `writer` and `trace_id` are which replica and in which run, for the journal alone. `look_seconds` is
    how often a target is looked at.
    """

    now: datetime
    operator: str = ""
    writer: str = ""
    trace_id: str = ""
    gate_required: bool = True
    look_seconds: float = 5.0
    sight: Sight | Fault | None = None
    readings: Mapping[str, Reading] | None = None
    refused: Fault | None = None
    written: Written | None = None


@attrs.frozen
class AddFinalizer:
    """Make sure that a deletion waits for us."""


@attrs.frozen
class ReleaseFinalizer:
    """Nothing is left to take back."""


@attrs.frozen
class Look:
    """Look at the target, then decide again."""


@attrs.frozen
class Measure:
    """Read the numbers of all checks, then decide again."""


@attrs.frozen
class Apply:
    """Make the operation on record happen, then decide again if the target refused it."""


@attrs.frozen
class Write:
    """Make this the status, and decide again once it has come back."""

    status: PromotionStatus


@attrs.frozen
class Wait:
    """Nothing to do until something wakes the promotion, or at the latest after `seconds`."""

    seconds: float | None = None


Question: TypeAlias = Look | Measure | Apply
Decision: TypeAlias = AddFinalizer | ReleaseFinalizer | Write | Wait | Question
