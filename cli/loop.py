"""Runs one coroutine until it ends or the user has had enough: the first signal asks, the second insists.

The coroutine is given an event that the first SIGINT or SIGTERM sets; it ends in its own order. A second signal ends
the process at once, with code 130, whatever it is doing.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

__all__ = ("run_until_signalled", "until_either")

_INTERRUPTED = 130


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run `main(stop)` on a new event loop and return its exit code."""
    return asyncio.run(_run(main))


async def _run(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(_INTERRUPTED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        return await main(stop)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def until_either(*waits: Awaitable[object]) -> None:
    """Return when the first of `waits` ends, cancelling the others; its exception, if it has one, is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        await task
