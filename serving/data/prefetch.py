"""Whoever takes batches waits for at most one, and whoever stops taking leaves no thread and no open file (P5).

The batches are made in one thread, one after another and at most `depth` ahead, so a slow consumer stops the reading.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ("prefetched",)

T = TypeVar("T")

_END: Any = object()


async def prefetched(batches: Iterable[T], *, depth: int = 2) -> AsyncGenerator[T]:
    """The batches in their order, made ahead in a thread. Use it in `contextlib.aclosing`.

    What making a batch raises is raised here, once, in its place. Closing waits for the batch that is being made, and
    closes the iterator.
    """
    iterator = iter(batches)
    pool = ThreadPoolExecutor(1, thread_name_prefix="windlass-prefetch")
    ahead: deque[Future[T]] = deque()
    try:
        while True:
            while len(ahead) < depth:
                ahead.append(pool.submit(next, iterator, _END))
            found = await asyncio.wrap_future(ahead.popleft())
            if found is _END:
                return
            yield found
    finally:
        for future in ahead:
            future.cancel()
        # In the pool's own thread, after whatever it still does: a generator that runs cannot be closed. The loop goes
        # on meanwhile, and another cancellation does not stop the tidying up.
        closed = pool.submit(_close, iterator)
        try:
            await asyncio.shield(asyncio.wrap_future(closed))
        finally:
            pool.shutdown(wait=closed.done())


def _close(iterator: object) -> None:
    if isinstance(iterator, Generator):
        iterator.close()
