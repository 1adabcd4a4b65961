"""Which objects a run wrote, so that its key is not run again before the cache has seen all of them (F9).

It stands between a run's `Api` and the cache: every write passes, is noted, and is announced to the cache before it is
sent. It does not decide who waits for what.
"""

from contextlib import AbstractContextManager

from windlass.informers.api import Write, WriteObserver
from windlass.informers.keys import Key
from windlass.informers.resources import Resource

__all__ = ("WrittenObjects",)


class WrittenObjects:
    """A write observer that notes each object and passes the word on to `observer`, the cache."""

    def __init__(self, observer: WriteObserver) -> None:
        self._observer = observer
        self.objects: dict[tuple[Resource, Key], None] = {}

    def writing(self, resource: Resource, key: Key) -> AbstractContextManager[Write]:
        """Entered before the request is sent, left after its answer or failure."""
        # A write that fails is noted too: a lost answer does not mean that the server has not stored it.
        self.objects[(resource, key)] = None
        return self._observer.writing(resource, key)
