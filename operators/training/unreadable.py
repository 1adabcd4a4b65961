"""A job whose status cannot be read at all is told so, by a condition, and left alone; it can still be deleted.

Reading it as empty would train again what may have been trained (G4). This module does not know why it is so.
"""

from collections.abc import Mapping
from typing import Any

from windlass.controller.context import Context
from windlass.informers.errors import StructureError
from windlass.informers.keys import Key
from windlass.informers.typed import structure
from windlass.operators.training import phases
from windlass.operators.training.decision.integrity import STATE_CORRUPT
from windlass.operators.training.types import TrainingJob

__all__ = ("without_status",)

_MESSAGE_MAX = 1000


async def without_status(ctx: Context, key: Key, error: StructureError) -> TrainingJob | None:
    """A job that is being deleted, as if it had no status; of another the condition is written, and None returned.

    Raises `error` if it is not the status that cannot be read.
    """
    found = await ctx.get(TrainingJob.__windlass_resource__, key)
    if found is None:
        return None
    body = found.to_dict()
    status = body.pop("status", None)
    try:
        job = structure(body, TrainingJob)
    except StructureError:
        raise error from None
    if found.deletion is not None:
        return job
    message = f"the status cannot be read: {error}"[:_MESSAGE_MAX]
    said = [_condition(kind, value, message, found.generation) for kind, value in _SAID]
    kept = [one for one in _conditions(status) if one["type"] not in dict(_SAID)]
    await ctx.status(found, conditions=[*kept, *said])
    return None


_SAID = ((STATE_CORRUPT, "True"), (phases.STALLED, "True"), (phases.RECONCILING, "False"))


def _condition(kind: str, value: str, message: str, generation: int) -> dict[str, Any]:
    told = message if value == "True" else ""
    return {"type": kind, "status": value, "reason": STATE_CORRUPT, "message": told, "observedGeneration": generation}


def _conditions(status: object) -> list[dict[str, Any]]:
    """Those of the conditions there are that are conditions."""
    found = status.get("conditions") if isinstance(status, Mapping) else None
    return [one for one in found if isinstance(one, dict) and "type" in one] if isinstance(found, list) else []
