"""What an operator did outside of the cluster, counted: the world's side of a crash.

The code under test, or the stand-in for the outer world that it talks to, calls `record` at the moment when the effect
has happened. A stand-in that is idempotent (it takes the same operation id twice and does it once) records once.

Or it does the effect within `doing`: then a sweep of crashes kills the operator before and after it, too.
"""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from windlass.envtest.kit.lives import Life

__all__ = ("Effects",)


class Effects:
    """A count for each effect, named by words: `effects.record("charge", order)`.

    A stand-in with a memory derives from it and forgets in `begin`. Names of objects and namespaces may be among the
    words, and uids: the kit makes them comparable from one run to the next. May be called from any thread.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A run begins, from nothing: the outer world is as before all runs. Not called after a crash."""
        with self._lock:
            self._counts.clear()

    def record(self, *words: str) -> None:
        """The effect that the words name has happened."""
        with self._lock:
            self._counts[" ".join(words)] += 1

    @contextmanager
    def doing(self, *words: str) -> Iterator[None]:
        """`with effects.doing("charge", order):` the effect happens within, in a thread, and is then recorded.

        A sweep ends the operator's life before it, in which case it does not happen, and after it.
        """
        life = Life.current()
        if life is not None:
            life.pass_in_thread("before", " ".join(words))
        yield
        self.record(*words)
        if life is not None:
            life.pass_in_thread("after", " ".join(words))

    @asynccontextmanager
    async def doing_on_loop(self, *words: str) -> AsyncIterator[None]:
        """The same for an effect that a task does: `async with effects.doing_on_loop("charge", order):`."""
        life = Life.current()
        if life is not None:
            await life.pass_on_loop("before", " ".join(words))
        yield
        self.record(*words)
        if life is not None:
            await life.pass_on_loop("after", " ".join(words))

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each effect has happened since the run began."""
        with self._lock:
            return dict(self._counts)

    def __repr__(self) -> str:
        return f"<Effects {dict(self.counts)}>"
