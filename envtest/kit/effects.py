"""What an operator did outside of the cluster, counted: the world's side of a crash.

The code under test, or the stand-in for the outer world that it talks to, calls `record` at the moment when the effect
has happened. A stand-in that is idempotent (it takes the same operation id twice and does it once) records once.
"""

import threading
from collections import Counter
from collections.abc import Mapping

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

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each effect has happened since the run began."""
        with self._lock:
            return dict(self._counts)

    def __repr__(self) -> str:
        return f"<Effects {dict(self.counts)}>"
