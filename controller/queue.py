"""The work queue: hands each key to one worker at a time, and loses none.

Every method that changes anything is synchronous, so no cancellation can cut one in half and no lock is needed on one
loop (A1). Only `get` and `join` wait; a `get` that is cancelled while it waits has taken nothing (A2). Timers share one
heap and one armed wake-up, however many keys wait (A3). Decisions are `windlass.controller.schedule`'s; this module
only wakes those who wait. It does not know what a key means.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Generic, TypeVar

from windlass.controller.errors import QueueShutDown
from windlass.controller.retries import KEY_BACKOFF, TokenBucket
from windlass.controller.schedule import LOW, NORMAL, Item, Schedule
from windlass.informers.backoff import Backoff

__all__ = ("LOW", "NORMAL", "Item", "WorkQueue")

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys that need work: deduplicated, by priority and then first come first served, with timers and retries.

    Guarantees: a key is never in two workers' hands (Q3); adds before `get` merge into one run (Q2), adds during a run
    into one more after it (Q1); what was added is handed out unless the queue is shut down. Length counts ready keys
    only: nothing should be decided on it (Q13).
    """

    def __init__(self, name: str = "", *, retry: Backoff = KEY_BACKOFF, bucket: TokenBucket | None = None) -> None:
        self.name = name
        self.schedule: Schedule[K] = Schedule(retry=retry, bucket=bucket)
        # Everything below belongs to the loop's thread and is touched by the methods of this class alone.
        self._getters: deque[asyncio.Future[None]] = deque()
        self._joiners: list[asyncio.Future[None]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._shut_down = False
        self._draining = False

    def add(self, key: K, *, reason: str = "", priority: int = NORMAL) -> None:
        """Ask for a run of `key` now. Dropped after a shutdown (Q5)."""
        if not self._shut_down:
            self.schedule.add(key, self._time(), reason=reason, priority=priority)
            if self._getters:
                self._wake()

    def add_after(self, key: K, seconds: float, *, reason: str = "timer", priority: int = NORMAL) -> None:
        """Ask for a run of `key` in `seconds`, beside any other run (Q9). Dropped after a shutdown."""
        if not self._shut_down:
            self.schedule.add_after(key, seconds, self._time(), reason=reason, priority=priority)
            self._arm()
            self._wake()

    def retry(
        self, key: K, *, reason: str = "retry", priority: int = NORMAL, seconds_max: float | None = None
    ) -> float:
        """Ask for a run of `key` after its backoff, at most `seconds_max`; returns the seconds until then.

        Dropped after a shutdown.
        """
        if self._shut_down:
            return 0.0
        delay = self.schedule.retry(key, self._time(), reason=reason, priority=priority, seconds_max=seconds_max)
        self._arm()
        return delay

    def forget(self, key: K) -> None:
        """The key's failures are over: reset its backoff and drop its pending retry."""
        self.schedule.forget(key)

    def failures(self, key: K) -> int:
        """How many retries were scheduled since the key was last forgotten."""
        return self.schedule.failures(key)

    def get_nowait(self) -> Item[K] | None:
        """Take the next key if one is ready. Raises QueueShutDown when nothing more will be."""
        item = self.schedule.take(self._time()) if not self._shut_down or self._draining else None
        if item is None and self._shut_down:
            raise QueueShutDown(f"the queue {self.name!r} has been shut down")
        return item

    async def get(self) -> Item[K]:
        """Take the next key, waiting for one; the caller owes a `done`. Raises QueueShutDown.

        Cancellation either leaves the queue as it was or happens before anything was taken: there is no await between
        taking a key and returning it.
        """
        while (item := self.get_nowait()) is None:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()  # this one had been woken for a key: pass the wake-up on
                else:
                    self._getters.remove(getter)
                raise
        return item

    def done(self, key: K) -> None:
        """Give `key` back after its run. Whatever should follow must have been asked for before (C7)."""
        self.schedule.done(key, self._time())
        if self._getters:
            self._wake()
        if self._shut_down:
            self._release_joiners()

    def shut_down(self, *, drain: bool = False) -> None:
        """Take no more adds. `get` then raises at once or, with `drain`, after what is ready has been handed out (Q5).

        Timers that are not due are dropped in both cases. A plain shutdown also ends a drain in progress (Q6).
        """
        self._shut_down = True
        self._draining = drain
        if drain:
            self.schedule.advance(self._time())
            self.schedule.clear_timers()
        else:
            self.schedule.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._getters:
            _release(self._getters.popleft())
        self._release_joiners()

    async def join(self) -> None:
        """Wait, after a shutdown, until no key is running and none is to be handed out any more.

        During a drain this includes keys that were added while they ran (Q6); a plain shutdown from another task ends
        the wait at once.
        """
        while not self._finished():
            joiner = asyncio.get_running_loop().create_future()
            self._joiners.append(joiner)
            await joiner

    def __len__(self) -> int:
        return len(self.schedule)

    def __repr__(self) -> str:
        state = " draining" if self._draining else " shut down" if self._shut_down else ""
        schedule = self.schedule
        return (
            f"<WorkQueue {self.name} ready={len(schedule)} waiting={schedule.waiting} "
            f"running={schedule.running_count}{state}>"
        )

    def _finished(self) -> bool:
        if not self._shut_down:
            return False
        return not self._draining or (self.schedule.running_count == 0 and len(self.schedule) == 0)

    def _release_joiners(self) -> None:
        if self._joiners and self._finished():
            joiners, self._joiners = self._joiners, []
            for joiner in joiners:
                _release(joiner)
        if self._draining and self._finished():
            while self._getters:  # a drain that has ended has nothing more for those who still wait
                _release(self._getters.popleft())

    def _wake(self) -> None:
        """Wake as many waiting getters as there are ready keys, and no more."""
        ready = len(self.schedule)
        while ready > 0 and self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                ready -= 1

    def _arm(self) -> None:
        deadline = self.schedule.next_deadline()
        if deadline is None:
            return
        if self._alarm is not None:
            if self._alarm.when() <= deadline:
                return
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.schedule.advance(self._time())
        self._wake()
        self._arm()

    @cached_property
    def _time(self) -> Callable[[], float]:
        """The clock of the loop in which the queue is first used; looked up once, for it is read at every step."""
        return asyncio.get_running_loop().time


def _release(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
