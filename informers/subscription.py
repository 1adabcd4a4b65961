"""A subscription is a handler for coroutines: a bounded queue, and on overflow a comparison with the store instead.

When the queue is full, everything in it is dropped; what the subscriber gets next is the difference between what it was
last told and what the store holds then. So it may miss states between, never the last one, and memory stays bounded.
"""

import asyncio
from collections import deque
from collections.abc import Iterator

from windlass.informers.handlers import Registration
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Added, Change, Deleted, Store, Updated

__all__ = ("Subscription",)


class Subscription:
    """An async iterator of changes: `async for change in subscription`. One reader at a time."""

    registration: Registration

    def __init__(self, store: Store, *, name: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"subscription {name}: capacity must be at least 1, found {capacity}")
        self.name = name
        self.overflows = 0
        self._store = store
        self._capacity = capacity
        self._queue: deque[Change] = deque()
        self._told: dict[Key, Object] = {}
        self._behind = False
        self._wake = asyncio.Event()

    def offer(self, change: Change) -> None:
        """Take in a change; the informer calls this."""
        self._wake.set()
        if self._behind:
            return
        if len(self._queue) >= self._capacity:
            self._queue.clear()
            self._behind = True
            self.overflows += 1
            return
        self._queue.append(change)

    def close(self) -> None:
        """End the subscription; a reader that waits gets StopAsyncIteration."""
        self.registration.remove()
        self._queue.clear()
        self._behind = False
        self._wake.set()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Change:
        while not self._queue:
            if self._behind:
                self._behind = False
                self._queue.extend(self._difference())
                continue
            if not self.registration.active:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        change = self._queue.popleft()
        self._remember(change)
        return change

    def _difference(self) -> Iterator[Change]:
        for key, last in self._told.items():
            if key not in self._store:
                yield Deleted(last, final_state_known=False)
        for one in self._store.list():
            last_told = self._told.get(one.key)
            if last_told is None:
                yield Added(one)
            elif last_told is not one:
                yield Updated(last_told, one)

    def _remember(self, change: Change) -> None:
        if isinstance(change, Deleted):
            self._told.pop(change.key, None)
        else:
            self._told[change.key] = change.object

    def __repr__(self) -> str:
        return f"<Subscription {self.name} queued={len(self._queue)}/{self._capacity} overflows={self.overflows}>"
