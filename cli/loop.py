"""Runs one coroutine until it ends or the user has had enough: the first signal asks, the second insists.

The first SIGINT or SIGTERM cancels the coroutine, wherever it is, so that whatever it has entered is left in order. A
second one ends the process at once, with code 130, whatever it is doing.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import click

__all__ = ("INTERRUPTED", "run_until_signalled", "until_either")

INTERRUPTED: Final = 130
"""The exit code of a process that was told twice."""


def run_until_signalled(
    main: Callable[[], Coroutine[Any, Any, int]],
    *,
    stopped: int = 0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run `main()` on a new event loop and return its exit code, or `stopped` when a signal ended it in order.

    The loop is asyncio's own, unless `loop_factory` makes another.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_run(main, stopped))


async def _run(main: Callable[[], Coroutine[Any, Any, int]], stopped: int) -> int:
    task = asyncio.create_task(main(), name="main")
    signalled = False

    def on_signal() -> None:
        nonlocal signalled
        if signalled:
            os._exit(INTERRUPTED)  # nothing may delay this: no cleanup, no handlers
        signalled = True
        click.echo("stopping in order; a second Ctrl-C ends it at once", err=True)
        task.cancel()

    # Never removed: they last as long as the loop, which after `main` still waits for its threads.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        return await task
    except asyncio.CancelledError:
        if not signalled:
            raise
        return stopped


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
