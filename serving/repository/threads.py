"""What may take for ever runs in a thread of its own, which nobody waits for when it does.

A pool would be worn down by jobs that never end, and would hold up the end of the process.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ("in_background", "in_thread")

T = TypeVar("T")


def _nothing(_: object) -> None:
    return


async def in_thread(job: Callable[[], T], *, name: str, discard: Callable[[T], None] = _nothing) -> T:
    """What `job` returns or raises. Cancelled, it goes on alone, and `discard` is given what it returns."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            if error is None:
                discard(result)  # type: ignore[arg-type]  # without an error it is the job's result
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # as above

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = job()
        except BaseException as raised:
            error = raised if isinstance(raised, Exception) else RuntimeError(f"{type(raised).__name__}: {raised}")
        # The loop may have ended meanwhile; then nobody is left who could want the result.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)
            return
        if error is None:
            discard(result)  # type: ignore[arg-type]  # as above

    in_background(run, name=name)
    return await future


def in_background(job: Callable[[], object], *, name: str) -> None:
    """Run it; nobody learns what comes of it."""
    threading.Thread(target=job, name=f"windlass-{name}", daemon=True).start()
