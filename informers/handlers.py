"""Every handler sees every change once, in order, beginning with all that was there when it was added (I2, I4).

Handlers are synchronous functions: they are called as the change happens and have no queue that could grow (I3). Only
while a handler is still being told of what was there before it came do changes wait for it, in one line behind that.

This module does not know where changes come from.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from windlass.informers.store import Change

__all__ = ("Handler", "Registration")

log = logging.getLogger(__name__)

Handler = Callable[[Change], None]


class Registration:
    """One handler's place at an informer. `failures` counts the changes it raised on; they are not repeated (I8)."""

    def __init__(self, handler: Handler, *, name: str, forget: Callable[["Registration"], None]) -> None:
        self.name = name
        self.failures = 0
        self.delivered = 0
        self.resync_seconds: float | None = None
        self.resync_at = float("inf")
        self._handler: Handler | None = handler
        self._forget = forget
        self._waiting: deque[Iterator[Change] | None] = deque()  # None marks the end of the initial changes
        self._pending = 0
        self._synced = False

    @property
    def has_synced(self) -> bool:
        """Whether the handler has been told of everything that was there at first (I5)."""
        return self._synced

    @property
    def active(self) -> bool:
        """Whether it has not been removed."""
        return self._handler is not None

    @property
    def pending(self) -> int:
        """How many changes wait for this handler."""
        return self._pending

    @property
    def waits(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self._waiting)

    def remove(self) -> None:
        """Be told of nothing more, from this moment on. Removing twice is fine (I7, I9)."""
        if self._handler is not None:
            self._handler = None
            self._waiting.clear()
            self._pending = 0
            self._forget(self)

    def deliver(self, change: Change) -> None:
        """Tell the handler now, or put the change behind those that wait."""
        if self._waiting:
            self.enqueue((change,), 1)
        else:
            self._call(change)

    def enqueue(self, changes: Iterable[Change], count: int, *, synced: bool = False) -> None:
        """Line `count` changes up for `work`; `synced` marks their end as that of the initial ones."""
        if not self.active:
            return
        if count:
            self._waiting.append(iter(changes))
            self._pending += count
        if synced and not self._synced:
            self._waiting.append(None)

    def work(self, stop_at: float, clock: Callable[[], float]) -> None:
        """Tell the handler of what waits, until there is nothing more or the time is up."""
        while self._waiting:
            head = self._waiting[0]
            if head is None:
                self._synced = True
            else:
                for change in head:
                    self._pending -= 1
                    self._call(change)
                    if not self.active or clock() >= stop_at:
                        return
            self._waiting.popleft()

    def _call(self, change: Change) -> None:
        if self._handler is None:
            return
        self.delivered += 1
        try:
            self._handler(change)
        except Exception:
            self.failures += 1
            log.exception(
                "handler %s failed on %s of %s; the change is skipped", self.name, type(change).__name__, change.key
            )

    def __repr__(self) -> str:
        state = "removed" if not self.active else "synced" if self._synced else "syncing"
        return f"<Registration {self.name} {state} pending={self.pending} failures={self.failures}>"
