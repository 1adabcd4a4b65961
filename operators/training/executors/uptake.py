"""An object of which its controller says nothing is waiting, not failed; after a while its job says so. Pure.

Between creation and the first word of its controller nothing tells an operator that is slow from one that is not there.
If there are Pods there was a controller, and these are what there is to go by.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from windlass.operators.training.executors.objects import AtWork, Reading, Waiting
from windlass.operators.training.executors.pods import waiting_for

__all__ = ("PATIENCE", "unheard")

PATIENCE: Final = timedelta(seconds=30)
"""How long a controller may take for its first word before the job says that there was none."""

Json = Mapping[str, Any]


def unheard(child: Json, pods: Sequence[Json], controller: str, *, hint: str = "") -> Reading:
    """What an object without a status means; `hint` is what else than an absent controller may be the cause."""
    phases = [(pod.get("status") or {}).get("phase") for pod in pods]
    name = f"{child['kind']} {child['metadata']['name']}"
    if "Running" in phases:
        return AtWork()
    if phases and set(phases) <= {"Succeeded", "Failed"}:
        return Waiting(f"the Pods of {name} have ended, and no controller says how; is {controller} running?")
    if phases:
        return Waiting(waiting_for(pods))
    created = str(child["metadata"]["creationTimestamp"])
    why = f"no controller has taken up {name}, which was made at {created}: is {controller} running{hint}?"
    return Waiting(why, tell_after=datetime.fromisoformat(created) + PATIENCE)
