"""A source wakes keys for reasons that are not in the cluster: a message, a clock, a stream of some other system.

Sources go past the predicates, which judge objects (table 1.5, raw sources). They wake keys; they carry no facts: what
is true the reconciler reads itself.
"""

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Protocol, TypeAlias

from windlass.controller.errors import ManagerError
from windlass.informers.keys import Key

__all__ = ("Channel", "Enqueue", "Source", "Stream", "Ticker")

Enqueue: TypeAlias = Callable[[Key, str], None]
"""Wakes a key for the reason given."""


class Source(Protocol):
    """What `Manager.controller(sources=[…])` takes."""

    @property
    def name(self) -> str:
        """For logs and task names."""

    async def run(self, enqueue: Enqueue) -> None:
        """Wake keys through `enqueue` until cancelled. Returning early is allowed: the source has no more to say."""


class Channel:
    """Wakes keys from the same loop: `channel.put(key, "reason")`.

    It holds keys until its controller runs, each key once, so nothing that is put early is lost. From another thread
    use `loop.call_soon_threadsafe(channel.put, key)`. One channel belongs to one controller.
    """

    def __init__(self, name: str = "channel") -> None:
        self.name = name
        self._early: dict[Key, str] = {}
        self._enqueue: Enqueue | None = None

    def put(self, key: Key, reason: str = "") -> None:
        """Wake `key`. Never waits, never fails."""
        reason = reason or self.name
        if self._enqueue is None:
            self._early.setdefault(key, reason)
        else:
            self._enqueue(key, reason)

    async def run(self, enqueue: Enqueue) -> None:
        """Pass on what was put early, then everything as it comes, until cancelled."""
        if self._enqueue is not None:
            raise ManagerError(f"the channel {self.name!r} belongs to a running controller already: make one for each")
        self._enqueue = enqueue
        early, self._early = self._early, {}
        for key, reason in early.items():
            enqueue(key, reason)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._enqueue = None

    def __repr__(self) -> str:
        return f"<Channel {self.name} early={len(self._early)}>"


class Ticker:
    """Wakes the keys that `keys()` names, each `seconds`, the first time after `seconds`."""

    def __init__(self, seconds: float, keys: Callable[[], Iterable[Key]], *, name: str = "ticker") -> None:
        if not (0 < seconds < math.inf):
            raise ValueError(f"a ticker expects a finite number of seconds > 0, found {seconds!r}")
        self.name = name
        self._seconds = seconds
        self._keys = keys

    async def run(self, enqueue: Enqueue) -> None:
        """Tick until cancelled. Ticks are counted from the start, so a slow tick does not shift those after it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds
        while True:
            await asyncio.sleep(due - loop.time())
            for key in self._keys():
                enqueue(key, self.name)
            missed = max(0, int((loop.time() - due) // self._seconds))
            due += (missed + 1) * self._seconds


class Stream:
    """Wakes each key that an asynchronous iterable yields."""

    def __init__(self, keys: Callable[[], AsyncIterable[Key]] | AsyncIterator[Key], *, name: str = "stream") -> None:
        self.name = name
        self._keys = keys

    async def run(self, enqueue: Enqueue) -> None:
        """Follow the stream to its end. What it raises fails the controller."""
        stream = self._keys() if callable(self._keys) else self._keys
        async for key in stream:
            enqueue(key, self.name)
