"""Two writers of one object are told apart by its version; the slower one looks again and decides anew, a few times.

`retry_on_conflict` repeats an attempt that reads, decides and writes. What is repeated must read the object as the
server has it: from a cache that has not caught up, it would meet the same conflict again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from windlass.informers.backoff import Backoff
from windlass.informers.errors import Conflict

__all__ = ("CONFLICT_BACKOFF", "CONFLICT_TRIES_MAX", "retry_on_conflict")

T = TypeVar("T")

CONFLICT_TRIES_MAX: Final = 5
CONFLICT_BACKOFF: Final = Backoff(base_seconds=0.010, factor=2.0, cap_seconds=1.0, jitter=0.1)
"""10 ms and a little, doubled each time: a conflict is over as soon as the other writer is done."""


async def retry_on_conflict(
    attempt: Callable[[], Awaitable[T]],
    *,
    tries_max: int = CONFLICT_TRIES_MAX,
    backoff: Backoff = CONFLICT_BACKOFF,
    rng: random.Random | None = None,
) -> T:
    """The result of `attempt`, repeated while it raises Conflict; after `tries_max` of them the last one is raised.

    Everything else it raises is raised at once.
    """
    rng = rng or random.Random()  # noqa: S311  # jitter, not secrets
    for tried in range(tries_max - 1):
        try:
            return await attempt()
        except Conflict:
            await asyncio.sleep(backoff.delay(tried, rng))
    return await attempt()
