"""Every run of a controller may take equally long, so the oldest is the next that is due, and one timer serves all.

A timer for each run would be set, and taken back, for every reconcile that does nothing but look. What a deadline does
is what `asyncio.timeout` does: it cancels the task, and whoever entered it gets a TimeoutError instead, unless the task
was cancelled for another reason, too.
"""

import asyncio
from types import TracebackType
from typing import Self

from windlass.informers.keys import Key

__all__ = ("Deadline", "Deadlines")


class Deadline:
    """One run's. `expired` and `withdrawn` say afterwards whether it was ended, and whether before its time."""

    __slots__ = ("_cancelling", "_running", "due", "expired", "key", "task", "withdrawn")

    def __init__(self, key: Key, *, task: "asyncio.Task[object]", due: float, running: "dict[Key, Deadline]") -> None:
        self.key = key
        self.task = task
        self.due = due
        self.expired = False
        self.withdrawn = False
        self._running = running
        self._cancelling = task.cancelling()

    def __enter__(self) -> Self:
        self._running[self.key] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._running[self.key]
        if self.expired and self.task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """End the run."""
        self.expired = True
        self.task.cancel()


class Deadlines:
    """The deadlines of the runs of one controller, `seconds` after each began. Belongs to the loop's thread."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[Key, Deadline] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, key: Key, task: "asyncio.Task[object]", *, now: float) -> Deadline:
        """To be entered at once, by the task that runs the key; no other run of the key may be under way."""
        due = now + self.seconds
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due, self._ring)
        return Deadline(key, task=task, due=due, running=self._running)

    def withdraw(self, key: Key) -> None:
        """End the run of the key now, if it runs."""
        deadline = self._running.get(key)
        if deadline is not None and not deadline.expired:
            deadline.withdrawn = True
            deadline.expire()

    def close(self) -> None:
        """No run will begin any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        """End what is due, and wait for the next. Runs that ended in time have left the timer as it was."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for deadline in self._running.values():
            if deadline.due > loop.time():
                self._timer = loop.call_at(deadline.due, self._ring)
                return
            if not deadline.expired:
                deadline.expire()
