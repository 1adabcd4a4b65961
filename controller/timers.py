"""One heap of deadlines; each name has at most one, the earliest that was asked for (Q8).

Knows no clock: `now` is an argument. Knows nothing of queues: a name is any hashable value, a payload any object.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ("Timers",)

N = TypeVar("N", bound=Hashable)
P = TypeVar("P")

# Stale heap entries (replaced or cancelled deadlines) are swept when they outnumber the live ones, but not before there
# are this many: sweeping a handful is dearer than skipping them.
_SWEEP_ABOVE = 64


class Timers(Generic[N, P]):
    """Deadlines by name, in the clock's seconds."""

    __slots__ = ("_heap", "_live", "_sequence")

    def __init__(self) -> None:
        # A heap entry is live if and only if its sequence number is the one noted for its name.
        self._heap: list[tuple[float, int, N]] = []
        self._live: dict[N, tuple[float, int, P]] = {}
        self._sequence = 0

    def set_earliest(self, name: N, deadline: float, payload: P) -> bool:
        """Ask for `deadline`; returns False, and changes nothing, if the name already has an earlier or equal one."""
        current = self._live.get(name)
        if current is not None and current[0] <= deadline:
            return False
        self._sequence += 1
        self._live[name] = (deadline, self._sequence, payload)
        heapq.heappush(self._heap, (deadline, self._sequence, name))
        self._sweep()
        return True

    def cancel(self, name: N) -> bool:
        """Forget the name's deadline; returns whether it had one."""
        if self._live.pop(name, None) is None:
            return False
        self._sweep()
        return True

    def deadline(self, name: N) -> float | None:
        """When the name is due, or None."""
        current = self._live.get(name)
        return None if current is None else current[0]

    def next_deadline(self) -> float | None:
        """The earliest deadline of all, or None."""
        heap = self._heap
        while heap and not self._is_live(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> list[tuple[N, P]]:
        """Remove and return what is due, in the order of the deadlines; equal deadlines in the order asked for."""
        due: list[tuple[N, P]] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)
            if self._is_live(entry):
                name = entry[2]
                due.append((name, self._live.pop(name)[2]))
        return due

    def clear(self) -> None:
        """Forget every deadline."""
        self._heap.clear()
        self._live.clear()

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, name: object) -> bool:
        return name in self._live

    def _is_live(self, entry: tuple[float, int, N]) -> bool:
        current = self._live.get(entry[2])
        return current is not None and current[1] == entry[1]

    def _sweep(self) -> None:
        # Without this, a key whose retry is cancelled over and over would be kept alive by the heap (Q23).
        if len(self._heap) > _SWEEP_ABOVE and len(self._heap) > 2 * len(self._live):
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)
