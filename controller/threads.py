"""A function in another thread or process is waited for to its end, even by a caller that has been cancelled.

Nobody can end a thread from outside. Whoever let its caller go on as if it had ended would have two of them at work on
one thing. This module does not know what the function does.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ("run_in_thread",)

T = TypeVar("T")


async def run_in_thread(
    call: Callable[[], T], executor: Executor, *, on_cancel: Callable[[], None] = lambda: None
) -> T:
    """The result of `call`, made by the executor.

    The first cancellation calls `on_cancel`, which may ask the function to end, and is raised when it has ended; what
    it returned or raised is then dropped. A function that has not begun never will. A second cancellation is raised at
    once and leaves the function behind.
    """
    submitted = executor.submit(call)
    future = asyncio.wrap_future(submitted)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        on_cancel()
        if not submitted.cancel():
            await asyncio.wait((future,))
            if not future.cancelled():
                future.exception()  # looked at, so that nobody is told that it never was
        raise
