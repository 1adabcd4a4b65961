"""A thread that hangs is written off and another takes its place, so that a model can only ever hang itself.

Not `concurrent.futures`: its pool cannot give up a thread, and at its end the process waits for all of them. Here the
threads are daemons.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

__all__ = ("Pool", "Work")

T = TypeVar("T")


class Work(Generic[T]):
    """A job, and what is done with its result, both in a thread; `lost` once nobody waits for it any more."""

    __slots__ = ("done", "job", "lost")

    def __init__(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        self.job = job
        self.done = done
        self.lost = False

    def run(self) -> None:
        """Both, once. No circle is left behind: the work lets go of them, and the result is in no variable.

        An error in the result refers to this frame, which must not refer to the error.
        """
        job, done = self.job, self.done
        del self.job, self.done
        done(job())


class Pool:
    """Up to `threads` threads, started as they are needed. `job` and `done` of what is submitted must not raise."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._most = threads
        self._name = name
        self._started = self._idle = self._queued = 0
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Work[object] | None] = SimpleQueue()

    def __repr__(self) -> str:
        return f"<Pool {self._name} threads={self._started}/{self._most}>"

    def submit(self, work: "Work[T]") -> None:
        """Run it in a thread, after what was submitted before."""
        with self._lock:
            self._queued += 1
            self._start_if_due()
        self._queue.put(work)  # type: ignore[arg-type]  # what comes out is only ever run

    def lose(self, work: "Work[T]") -> None:
        """Give up the thread that runs it; it ends with the work, and another takes its place."""
        with self._lock:
            if not work.lost:
                work.lost = True
                self._started -= 1
                self._start_if_due()

    def close(self) -> None:
        """Let the threads end, each after what it runs; what waits is dropped."""
        while not self._queue.empty():
            self._queue.get()
        for _ in range(self._most):
            self._queue.put(None)

    def _start_if_due(self) -> None:
        if self._queued > self._idle and self._started < self._most:
            self._started += 1
            self._idle += 1
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            with self._lock:
                self._idle -= 1
                self._queued -= 1
            work.run()
            with self._lock:
                if work.lost:
                    return
                self._idle += 1
            del work
