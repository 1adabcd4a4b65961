"""The load of a latency race: widgets get a stamp each, at a steady rate that does not wait for answers.

An open loop, because a generator that waited would hide exactly the moments that are to be seen.
"""

import asyncio
import time

from windlass.benchmarks.widgets import WIDGET, name_of
from windlass.informers.api import Api
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType

__all__ = ("stamp",)


async def stamp(api: Api, namespace: str, *, count: int, rate: float) -> None:
    """Give the first `count` widgets the moment of their update as `spec.stamp`, `rate` of them a second."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
            group.create_task(_stamp(api, Key(namespace, name_of(number))))


async def _stamp(api: Api, key: Key) -> None:
    now = str(time.monotonic_ns())
    await api.patch(WIDGET, key, {"spec": {"stamp": now}}, type=PatchType.MERGE, field_manager="bench")
