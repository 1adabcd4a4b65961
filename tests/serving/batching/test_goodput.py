"""Ten times more than can be done, for half a minute of virtual time: what is done is nearly all that could be."""

import asyncio
import collections

import attrs
import numpy as np
import pytest

from windlass.serving.batching.ask import Ask
from windlass.serving.batching.lane import Lane
from windlass.serving.errors import DeadlineExceeded, Overloaded
from windlass.serving.metrics import Metrics
from windlass.serving.model import LoadedModel
from windlass.serving.policy import Batching, Limits, Policy
from windlass.serving.tensors import TensorSpec

ROWS, SERVICE_SECONDS, SECONDS = 2, 0.1, 30.0


@attrs.frozen
class Echo:
    name, version, platform = "m", "1", "test_test"
    inputs = outputs = (TensorSpec("x", "FP64", (-1, 1)),)

    def predict(self, inputs, /):
        return inputs


class Thread:
    """One thread, for which each execution takes the same time."""

    free = 1

    def __init__(self):
        self.waiting = []

    def submit(self, job, done, *, customer):
        self.free = 0
        asyncio.get_running_loop().call_later(SERVICE_SECONDS, self._ended, job, done)

    def hungry(self, lane):
        self.waiting.append(lane)

    def _ended(self, job, done):
        self.free = 1
        done(job())
        while self.waiting and self.free:
            self.waiting.pop(0).turn()


@pytest.mark.parametrize("batching", [True, False], ids=["batching", "one by one"])
@pytest.mark.parametrize("bound", ["requests", "deadline"])
async def test_nearly_all_that_could_be_done_is_done_and_nobody_waits_longer_than_allowed(bound, batching):
    """DB16: goodput, the latency of who is accepted, and what is held."""
    timeout = 2.0 if bound == "requests" else 0.5
    rows = ROWS if batching else 1
    limits = Limits(requests_max=8 * rows if bound == "requests" else 100_000, timeout_seconds=timeout)
    capacity = rows / SERVICE_SECONDS
    policy = Policy(limits, Batching(rows_max=ROWS) if batching else None)
    model = LoadedModel("m", "1", Echo(), policy=policy, inline_elements=-1)
    lane, clock = Lane(model, Thread(), metrics=Metrics()), asyncio.get_running_loop().time
    outcomes, waits, most = collections.Counter(), [], 0

    async def client():
        began = clock()
        try:
            await lane.run(model, {"x": np.ones((1, 1))}, Ask(began + timeout, 0, began))
        except Overloaded:
            outcomes["refused"] += 1
        except DeadlineExceeded:
            outcomes["late"] += 1
        else:
            outcomes["answered"] += 1
            waits.append(clock() - began)

    under_way = set()
    until = clock() + SECONDS
    while clock() < until:
        for _ in range(rows):
            task = asyncio.create_task(client())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        most = max(most, len(lane.state.queue))
        await asyncio.sleep(rows / (10 * capacity))
    await asyncio.gather(*under_way)
    assert sum(outcomes.values()) == pytest.approx(10 * capacity * SECONDS, rel=0.01)
    assert outcomes["answered"] >= 0.9 * capacity * SECONDS
    assert np.quantile(waits, 0.99) <= timeout + 2 * SERVICE_SECONDS
    # By count, or by how many can come within the deadline: it does not grow with the time that the overload lasts.
    assert most <= (8 * rows if bound == "requests" else 10 * capacity * timeout + rows)
    assert (outcomes["refused"] > 0) == (bound == "requests")
    assert (lane._members, len(lane.state.queue)) == ({}, 0)
