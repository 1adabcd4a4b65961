"""An object that no controller has touched is waiting, not failed; after a while its job says so. Pure.

Between creation and the first word of its controller nothing tells an operator that is slow from one that is not there.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from windlass.operators.training.executors.objects import Waiting

__all__ = ("PATIENCE", "not_taken_up")

PATIENCE: Final = timedelta(seconds=30)
"""How long a controller may take for its first word before the job says that there was none."""


def not_taken_up(child: Mapping[str, Any], controller: str, *, hint: str = "") -> Waiting:
    """That no controller has said a word about this object since its creation; `hint` is what else may be the cause."""
    metadata = child["metadata"]
    created = str(metadata["creationTimestamp"])
    question = f"is {controller} running{hint}?"
    why = f"no controller has taken up {child['kind']} {metadata['name']}, which was made at {created}: {question}"
    return Waiting(why, tell_after=datetime.fromisoformat(created) + PATIENCE)
