"""Which objects a run wrote, so that its key is not run again before the cache has seen all of them (F9).

It stands between a run's `Api` and the cache: every write passes, is noted and timed, and is announced to the cache
before it is sent. It does not decide who waits for what.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

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
        self.now = now
        self.objects: dict[tuple[Resource, Key], None] = {}
        self.count = 0
        self.seconds = 0.0

    def writing(self, resource: Resource, key: Key) -> "_Noted":
        """Entered before the request is sent, left after its answer or failure."""
        # A write that fails is noted too: a lost answer does not mean that the server has not stored it.
        self.objects[(resource, key)] = None
        return _Noted(self, resource, self._observer.writing(resource, key))


class _Noted:
    """A write whose object is noted under the name that the server gave it: with `generateName` it had none before."""

    __slots__ = ("_inner", "_resource", "_started", "_write", "_writes")

    def __init__(self, writes: WrittenObjects, resource: Resource, inner: AbstractContextManager[Write]) -> None:
        self._writes = writes
        self._resource = resource
        self._inner = inner

    def __enter__(self) -> Self:
        self._started = self._writes.now()
        self._write = self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._inner.__exit__(kind, error, trace)
        finally:
            self._writes.count += 1
            self._writes.seconds += self._writes.now() - self._started

    def wrote(self, written: Object) -> None:
        self._writes.objects[(self._resource, written.key)] = None
        self._write.wrote(written)

    def deleting(self, uid: str) -> None:
        self._write.deleting(uid)
