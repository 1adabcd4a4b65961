"""A blocked event loop is noticed while it is blocked, named and counted, at the price of one thread for the process.

A lease is renewed, a deadline kept and a probe answered only if the loop turns (L12). The thread asks the loop for a
sign of life a few times a second; if none comes within the threshold it says in the log who holds the loop and where,
for that is known only as long as it lasts. Code that keeps even threads from running (a C extension that holds the
interpreter's lock) is counted when it is over, and its place may be lost.

This module does not know controllers: who is to blame is the answer of a function that it is given.
"""

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

import attrs

from windlass.controller.histogram import Histogram

__all__ = ("Blockage", "Culprit", "Watchdog")

_LOG = logging.getLogger("windlass.controller.watchdog")
_BLOCKAGES_KEPT = 20
_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@attrs.frozen
class Culprit:
    """Who holds the loop: `name` is counted and must be one of few, `detail` is for people."""

    name: str
    detail: str


@attrs.frozen
class Blockage:
    """One time that the loop did not turn. `place` is a line of code, or empty."""

    seconds: float
    culprit: Culprit
    place: str


class Watchdog:
    """Watches the loop that it runs in. `culprit` is asked from the watching thread, while the loop stands still."""

    name = "watchdog"

    def __init__(
        self,
        culprit: Callable[[asyncio.AbstractEventLoop], Culprit],
        *,
        threshold_seconds: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._culprit = culprit
        self._threshold = threshold_seconds
        self._clock = clock
        self._over = threading.Event()
        # What was seen; belongs to the loop's thread, the other one passes it over.
        self.counts: dict[str, int] = {}
        self.seconds = Histogram(_BOUNDS)
        self.blockages: deque[Blockage] = deque(maxlen=_BLOCKAGES_KEPT)

    async def run(self) -> None:
        """Watch until cancelled. Returns when the thread has ended."""
        loop = asyncio.get_running_loop()
        arguments = (loop, threading.get_ident())
        thread = threading.Thread(target=self._watch, args=arguments, name=f"windlass {self.name}", daemon=True)
        thread.start()
        try:
            await loop.create_future()
        finally:
            self._over.set()
            thread.join()  # it waits for nothing but this loop's sign and the end

    def __repr__(self) -> str:
        return f"<Watchdog blockages={sum(self.counts.values())}>"

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._over.wait(self._threshold / 2):
            sign = threading.Event()
            asked = self._clock()
            if not _ask(loop, sign.set):
                return
            answered = self._wait(sign, self._threshold)
            if answered and self._clock() - asked < self._threshold:
                continue
            culprit, place = self._culprit(loop), _place(thread)
            if not answered and not self._over.is_set():
                _LOG.warning(
                    "the event loop has been blocked for %.1f s by %s%s",
                    self._threshold,
                    culprit.detail,
                    f", at {place}" if place else "",
                )
            while not self._over.is_set() and not self._wait(sign, self._threshold):
                pass
            if sign.is_set():
                blockage = Blockage(self._clock() - asked, culprit, place if not answered else "")
                _ask(loop, lambda blockage=blockage: self._note(blockage))  # type: ignore[misc]  # bound now

    def _wait(self, sign: threading.Event, seconds: float) -> bool:
        """Wait for the sign, in steps short enough to notice the end."""
        until = self._clock() + seconds
        while not self._over.is_set() and (left := until - self._clock()) > 0:
            if sign.wait(min(left, 0.02)):
                return True
        return sign.is_set()

    def _note(self, blockage: Blockage) -> None:
        self.counts[blockage.culprit.name] = self.counts.get(blockage.culprit.name, 0) + 1
        self.seconds.observe(blockage.seconds)
        self.blockages.append(blockage)


def _ask(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> bool:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:  # the loop has been closed
        return False
    return True


def _place(thread: int) -> str:
    """The innermost line that the thread is executing."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
