"""A task that wants to run every millisecond knows how long others have held the loop.

That is how long whatever else the process serves would have waited for its turn.
"""

import asyncio
import time

__all__ = ("SETTLE_SECONDS", "Stall")

SETTLE_SECONDS = 0.005
"""After so long a hold that has ended is in the figures."""


class Stall:
    """The longest hold so far, in seconds: by the wall clock, and in CPU of the loop's own thread.

    The second one is not more than the first, and leaves out what other programs on the machine took.
    """

    longest = 0.0
    longest_held = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due, cpu = loop.time() + 0.001, time.thread_time()
            await asyncio.sleep(0.001)
            late = loop.time() - due
            self.longest = max(self.longest, late)
            self.longest_held = max(self.longest_held, min(late, time.thread_time() - cpu))
