"""Under load at 80 % of what the endpoint can answer, weights change a hundred times and no request notices.

`WINDLASS_LOAD_SECONDS` makes the load last longer than the few seconds of an ordinary run.
"""

import asyncio
import os
import time

import aiohttp
import pytest

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.traffic import Arm, Route, Routes, TrafficClient, TrafficOptions

SECONDS = float(os.environ.get("WINDLASS_LOAD_SECONDS", "1"))
CHANGES = 100
UNDER_WAY_MAX = 64
PREDICTIONS = {"a": -0.5, "b": 0.5}


def route(weight):
    return Route("m", (Arm("a", "one", weight=100 - weight), Arm("b", "two", weight=weight)))


async def capacity(ask):
    """Requests a second with 16 askers, each of which asks again at once."""
    until, count = time.monotonic() + 0.5, 0

    async def asker():
        nonlocal count
        while time.monotonic() < until:
            await ask()
            count += 1

    await asyncio.gather(*(asker() for _ in range(16)))
    return count / 0.5


@pytest.mark.realtime(limit=SECONDS + 120)
async def test_a_hundred_changes_of_weights_under_load_fail_no_request():
    """T9: each answer is whole and of one arm, and arms without weight get nothing once the change is answered."""
    repository = ModelRepository()
    repository.add("one", LinearModel())
    repository.add("two", LinearModel(bias=2.5))
    options = EndpointOptions(
        plain_model="m", requests_max=100_000, traffic=TrafficOptions(Routes.of(route(50)), api=True)
    )
    answers = {"a": 0, "b": 0}
    wrong = []
    async with (
        Endpoint(repository, port=0, options=options) as endpoint,
        aiohttp.ClientSession(endpoint.url, connector=aiohttp.TCPConnector(limit=UNDER_WAY_MAX)) as session,
        aiohttp.ClientSession() as control,
    ):

        async def ask(only=None):
            async with session.post("/predict", json={"x": 2.5}) as response:
                arm, content = response.headers.get("X-Model-Variant"), await response.json()
                if response.status != 200 or content != {"prediction": PREDICTIONS[arm]} or arm == only:
                    wrong.append((response.status, arm, content))
                answers[arm] += 1

        pause = 1 / (0.8 * await capacity(ask))
        answers.update(a=0, b=0)
        loaded = True

        async def load():
            # A machine that others slow down has less capacity than was measured; what it cannot do is not piled up.
            under_way = set()
            async with asyncio.TaskGroup() as group:
                due = time.monotonic()
                while loaded:
                    while due <= time.monotonic() and len(under_way) < UNDER_WAY_MAX:
                        task = group.create_task(ask())
                        under_way.add(task)
                        task.add_done_callback(under_way.discard)
                        due += pause
                    due = max(due, time.monotonic() - 0.1)
                    await asyncio.sleep(0.002)

        client = TrafficClient(control, endpoint.url, timeout_seconds=60.0)
        async with asyncio.TaskGroup() as group:
            group.create_task(load())
            etag = (await client.get("m")).etag
            for change in range(CHANGES):
                weight = (0, 100, 50, 10)[change % 4]
                etag = (await client.replace(route(weight), etag=etag)).etag
                await ask(only={0: "b", 100: "a"}.get(weight))
                await asyncio.sleep(SECONDS / CHANGES)
            loaded = False
    assert wrong == []
    assert sum(answers.values()) > CHANGES
    assert min(answers.values()) > 0
