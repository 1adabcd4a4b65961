"""Read your writes: a cached read of an object waits until the copy has caught up with our own last write of it (F9).

A write is compared with what the watch has brought by resource version, within one collection; a deletion is awaited by
uid. Where versions cannot be compared, or the wait takes too long, reading goes on with what there is, and that is
counted: a stale read is better than none.

This module does not know who writes; `Api` reports through `writing`.
"""

import asyncio
import logging
from heapq import heappop, heappush

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Store
from windlass.informers.versions import parse_version

__all__ = ("Barrier", "PendingWrite")

log = logging.getLogger(__name__)


class Barrier:
    """What one collection's copy must have seen before which key may be read."""

    def __init__(self, store: Store, name: str) -> None:
        self.waits = 0
        self.timeouts = 0
        self.incomparable = 0
        self.lag_seconds: float | None = None  # how long our last awaited write took to come by the stream
        self._store = store
        self._name = name
        # Written between two awaits only.
        self._wanted: dict[Key, int] = {}
        self._since: dict[Key, float] = {}
        self._going: dict[Key, set[str]] = {}
        self._writing: dict[Key, int] = {}
        self._by_version: dict[str, list[tuple[int, Key]]] = {}
        self._reached: dict[str, int] = {}
        self._waiters: dict[Key, list[asyncio.Future[None]]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is awaited, so that progress need not be reported."""
        return not (self._wanted or self._going)

    def expect(self, key: Key, version: str) -> None:
        """The copy must reach this version of this object."""
        wanted = parse_version(version)
        if wanted is None:
            self._open(f"resource version {version!r} of {key} is not a number")
            return
        held = self._store.get(key)
        seen = parse_version(held.resource_version) if held is not None else None
        if max(seen or 0, self._reached.get(key.namespace, 0), self._reached.get("", 0)) >= wanted:
            return
        if wanted > self._wanted.get(key, 0):
            self._wanted[key] = wanted
            self._since[key] = asyncio.get_running_loop().time()
            heappush(self._by_version.setdefault(key.namespace, []), (wanted, key))

    def expect_deleted(self, key: Key, uid: str) -> None:
        """The copy must lose this life of the object."""
        held = self._store.get(key)
        # While a write before it is awaited, the copy may not have seen this life begin yet.
        if key in self._wanted or (held is not None and held.uid == uid):
            self._going.setdefault(key, set()).add(uid)

    def writing(self, key: Key) -> "PendingWrite":
        """A write of this key is on its way: reads that start while it is entered wait for its answer, too."""
        return PendingWrite(self, key)

    def changed(self, key: Key, new: Object | None) -> None:
        """The copy has a new state of this key."""
        uids = self._going.get(key)
        if uids is not None:
            uids &= {new.uid} if new is not None else set()
            if not uids:
                del self._going[key]
                self._settle(key)

    def reached(self, version: str, namespace: str = "") -> None:
        """The copy (of one namespace, or all) is complete up to this version."""
        number = parse_version(version)
        if number is None:
            if self._wanted:
                self._open(f"the stream's resource version {version!r} is not a number")
                for key in list(self._wanted):
                    self._drop(key)
            return
        self._reached[namespace] = number
        for heap in [self._by_version.get(namespace, [])] if namespace else list(self._by_version.values()):
            while heap and heap[0][0] <= number:
                wanted, key = heappop(heap)
                if self._wanted.get(key) == wanted:
                    del self._wanted[key]
                    self.lag_seconds = asyncio.get_running_loop().time() - self._since.pop(key)
                    self._settle(key)

    def caught_up(self, key: Key) -> bool:
        """Whether a read of this key now sees every write of ours."""
        return not (key in self._wanted or key in self._going or key in self._writing)

    async def wait(self, key: Key, timeout_seconds: float) -> bool:
        """Wait until caught up; False when that took too long, and then this key is not waited for again."""
        if self.caught_up(key):
            return True
        self.waits += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(key, []).append(future)
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        except TimeoutError:
            self.timeouts += 1
            log.warning(
                "%s %s: the copy has not seen our write after %.1f s; going on", self._name, key, timeout_seconds
            )
            self._drop(key)
            return False
        finally:
            waiters = self._waiters.get(key)
            if waiters is not None and future in waiters:
                waiters.remove(future)
                if not waiters:
                    del self._waiters[key]
        return True

    def awaited(self) -> set[Key]:
        """Every key that is not caught up."""
        return {*self._wanted, *self._going, *self._writing}

    def _begin(self, key: Key) -> None:
        self._writing[key] = self._writing.get(key, 0) + 1

    def _end(self, key: Key) -> None:
        self._writing[key] -= 1
        if not self._writing[key]:
            del self._writing[key]
        self._settle(key)

    def _drop(self, key: Key) -> None:
        self._wanted.pop(key, None)
        self._since.pop(key, None)
        self._going.pop(key, None)
        self._settle(key)

    def _settle(self, key: Key) -> None:
        if self.caught_up(key):
            for future in self._waiters.pop(key, ()):
                if not future.done():
                    future.set_result(None)

    def _open(self, why: str) -> None:
        self.incomparable += 1
        if self.incomparable == 1:
            log.warning("%s: %s; reads cannot wait for our own writes", self._name, why)

    def __repr__(self) -> str:
        return f"<Barrier {self._name} awaited={len(self.awaited())} timeouts={self.timeouts}>"


class PendingWrite:
    """One write of one key, on its way while this is entered."""

    __slots__ = ("_barrier", "_key")

    def __init__(self, barrier: Barrier, key: Key) -> None:
        self._barrier = barrier
        self._key = key

    def __enter__(self) -> "PendingWrite":
        self._barrier._begin(self._key)
        return self

    def __exit__(self, *_: object) -> None:
        self._barrier._end(self._key)

    def wrote(self, written: Object) -> None:
        """The server has answered with this state."""
        # Its own key, for a name that the server has generated was not known before.
        self._barrier.expect(written.key, written.resource_version)

    def deleting(self, uid: str) -> None:
        """The server has taken the object away, or is about to."""
        self._barrier.expect_deleted(self._key, uid)
