"""What a job was given counts as taken from that moment on, not only once its Pods are bound, so no two get the same.

A hold ends when as many Pods of the run are bound as it is for, when the job needs none any more, or after a while: it
bridges the time until the scheduler has spoken, and is no claim on what the scheduler gives to others. It lives in this
process; after a restart, jobs that got the same are told apart by the scheduler, and one of them is moved.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs

from windlass.informers.keys import Key
from windlass.operators.training.hardware.machines import Load

__all__ = ("HOLD_SECONDS", "RUN_LABEL", "Holds")

HOLD_SECONDS: Final = 30.0
RUN_LABEL: Final = "ai.windlass.dev/run"


@attrs.frozen
class _Hold:
    run: str
    nodes: tuple[str, ...]
    amounts: Mapping[str, Decimal]
    until: float


class Holds:
    """The holds of one controller, by job."""

    def __init__(self) -> None:
        self._held: dict[Key, _Hold] = {}  # changed on the loop only, between two awaits

    def hold(self, key: Key, run: str, *, nodes: tuple[str, ...], amounts: Mapping[str, Decimal], now: float) -> None:
        """The job was given these amounts on each of these nodes."""
        self._held[key] = _Hold(run, nodes, amounts, now + HOLD_SECONDS)

    def release(self, key: Key) -> None:
        """The job needs nothing."""
        self._held.pop(key, None)

    def loads(self, bound: Iterable[Load], *, but: Key, now: float) -> list[Load]:
        """What is held beside what is bound, by all jobs but one."""
        counts = Counter(load.labels.get(RUN_LABEL) for load in bound)
        for key, hold in list(self._held.items()):
            if hold.until <= now or counts[hold.run] >= len(hold.nodes):
                del self._held[key]
        return [
            Load(node, hold.amounts)
            for key, hold in self._held.items()
            if key != but
            for node in hold.nodes[counts[hold.run] :]
        ]

    def __repr__(self) -> str:
        return f"<Holds of {len(self._held)} jobs>"
