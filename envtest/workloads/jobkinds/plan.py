"""What a stand-in makes of a job at one moment is one value, and what it made that of is another. No logic."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

import attrs

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.objects import Json

__all__ = ("Plan", "Situation", "Step")


@attrs.frozen(kw_only=True)
class Situation:
    """A job, the Pods that it controls by name, and what else its controller looks at, by kind."""

    job: Json
    pods: tuple[Json, ...] = ()
    others: Mapping[str, tuple[Json, ...]] = attrs.field(factory=dict)
    behaviour: Behaviour = attrs.field(factory=Behaviour)
    now: datetime


@attrs.frozen
class Plan:
    """The whole status, the Pods to make, the names of those to delete; `over` is for a job that has ended.

    With `delete_job`, its time to live is over, too. `wake_seconds` says when to look again though nothing changes.
    """

    status: Json | None = None
    create: tuple[Json, ...] = ()
    delete: tuple[str, ...] = ()
    over: bool = False
    delete_job: bool = False
    wake_seconds: float | None = None


Step: TypeAlias = Callable[[Situation], Plan]
