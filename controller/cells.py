"""A task or a thread that waits for a cell's next snapshot sleeps until it is there, and is woken once.

The cell itself is pure (`windlass.statemachine.cell`); here its callbacks meet event loops and threads. A waiter misses
no snapshot for good: it names the one it has seen, and if that has been replaced meanwhile, it does not wait at all.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import TypeVar

from windlass.statemachine.cell import Cell, Snapshot

__all__ = ("follow", "replaced", "wait_replaced")

T = TypeVar("T")


async def replaced(cell: Cell[T], seen: Snapshot[T]) -> Snapshot[T]:
    """The current snapshot as soon as it is another than `seen`. A cancelled wait leaves nothing behind."""
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not woken.done():
            woken.set_result(None)

    def wake(_: Snapshot[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    ticket = cell.on_replaced(seen, wake)
    try:
        await woken
    finally:
        cell.forget(ticket)
    return cell.get()


async def follow(cell: Cell[T]) -> AsyncIterator[Snapshot[T]]:
    """The current snapshot, then each newer one; those that are replaced while the caller is busy are left out."""
    seen = cell.get()
    while True:
        yield seen
        seen = await replaced(cell, seen)


def wait_replaced(cell: Cell[T], seen: Snapshot[T], *, timeout: float | None = None) -> Snapshot[T] | None:
    """As `replaced`, for threads: blocks up to `timeout` seconds, None for ever; returns None when they are over."""
    woken = threading.Event()
    ticket = cell.on_replaced(seen, lambda _: woken.set())
    try:
        return cell.get() if woken.wait(timeout) else None
    finally:
        cell.forget(ticket)
