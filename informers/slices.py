"""Long work is done a slice of time at a time, and others run between two slices.

A task that slept is woken two turns of the loop after its time has come, and each turn may hold a slice of every task
that works: so it waits for three slices, and a little (A4).
"""

import asyncio
from collections.abc import Iterable
from typing import Final

__all__ = ("SLICE_SECONDS", "Slices", "in_slices")

SLICE_SECONDS: Final = 0.002


class Slices:
    """The slices of one piece of work: `if slices.over(): await slices.rest()` wherever others may run."""

    __slots__ = ("_clock", "stop_at")

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self.stop_at = self._clock() + SLICE_SECONDS

    def over(self) -> bool:
        """Whether this slice has been long enough."""
        return self._clock() >= self.stop_at

    async def rest(self) -> None:
        """Let others run, and begin a new slice."""
        await asyncio.sleep(0)
        self.stop_at = self._clock() + SLICE_SECONDS


async def in_slices(work: Iterable[object]) -> None:
    """Do all of the work, which yields wherever others may run."""
    slices = Slices()
    for _ in work:
        if slices.over():
            await slices.rest()
