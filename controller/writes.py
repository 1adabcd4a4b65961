"""Which objects a run wrote, so that its key is not run again before the cache has seen all of them (F9).

It stands between a run's `Api` and the cache: every write passes, is noted and timed, and is announced to the cache
before it is sent. It does not decide who waits for what.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from windlass.informers.api import Write, WriteObserver
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import Resource

__all__ = ("WrittenObjects",)


class WrittenObjects:
    """A write observer that notes each object and passes the word on to `observer`, the cache.

    `now` is the loop's clock. `count` and `seconds` are of all writes together; those that ran side by side are summed.
    """

    def __init__(self, observer: WriteObserver, now: Callable[[], float]) -> None:
        self._observer = observer
        self._now = now
        self.objects: dict[tuple[Resource, Key], None] = {}
        self.count = 0
        self.seconds = 0.0

    @contextmanager
    def writing(self, resource: Resource, key: Key) -> Iterator[Write]:
        """Entered before the request is sent, left after its answer or failure."""
        # A write that fails is noted too: a lost answer does not mean that the server has not stored it.
        self.objects[(resource, key)] = None
        started = self._now()
        try:
            with self._observer.writing(resource, key) as write:
                yield _Noted(self.objects, resource, write)
        finally:
            self.count += 1
            self.seconds += self._now() - started


class _Noted:
    """A write whose object is noted under the name that the server gave it: with `generateName` it had none before."""

    def __init__(self, objects: dict[tuple[Resource, Key], None], resource: Resource, write: Write) -> None:
        self._objects = objects
        self._resource = resource
        self._write = write

    def wrote(self, written: Object) -> None:
        self._objects[(self._resource, written.key)] = None
        self._write.wrote(written)

    def deleting(self, uid: str) -> None:
        self._write.deleting(uid)
