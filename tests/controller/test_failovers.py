"""Over hundreds of seeded fail-overs no write of a former leader gets through after one of its successor (L13).

The electors and the Fence are the real ones, in virtual time; the server is as conditional as a real one. A process
that is paused is one whose request takes a minute: it decided before the pause, and does not look again after it.
"""

import asyncio
import copy
import random
from contextlib import suppress

import msgspec
import pytest
from memory_leases import MemoryLeases

from windlass.controller.election import Candidacy
from windlass.controller.elector import Elector
from windlass.controller.errors import Fenced, LeadershipLost
from windlass.controller.fencing import ANNOTATION, Fence
from windlass.controller.lease import FencingToken
from windlass.informers.builtins import ConfigMap
from windlass.informers.errors import Conflict, Invalid
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType

FAILOVERS_A_SEED = 25
KEY = Key("default", "settings")


class OneObject:
    """An Api of one object: merge patches are conditional on its version, JSON patches on their tests."""

    def __init__(self):
        metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "resourceVersion": "1", "annotations": {}}
        self.body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"writer": "nobody"}}
        self.history = []

    def read(self):
        return Object.parse(msgspec.json.encode(self.body), ConfigMap)

    def merge(self, patch):
        if patch["metadata"]["resourceVersion"] != self.body["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "the object has been modified")
        claim = patch["metadata"]["annotations"]
        self.store({**self.body["metadata"]["annotations"], **claim}, self.body["data"])
        self.history.append(FencingToken.parse(claim[ANNOTATION]))

    def apply(self, operations):
        test, change = operations
        assert (test["op"], change["path"]) == ("test", "/data")
        name = test["path"].removeprefix("/metadata/annotations/").replace("~1", "/")
        if self.body["metadata"]["annotations"].get(name) != test["value"]:
            raise Invalid(422, "Invalid", "the test failed")
        self.store(self.body["metadata"]["annotations"], change["value"])
        self.history.append(FencingToken.parse(change["value"]["token"]))  # the writer's own, whatever stands there

    def store(self, annotations, data):
        self.body = copy.deepcopy(self.body)
        self.body["metadata"]["annotations"], self.body["data"] = dict(annotations), data
        self.body["metadata"]["resourceVersion"] = str(int(self.body["metadata"]["resourceVersion"]) + 1)


class SlowApi:
    """One process's way to the object: each request may be held up, before it is served, for as long as a pause."""

    def __init__(self, shared, rng):
        self.shared = shared
        self.rng = rng

    async def get(self, kind, key):
        await self.pause()
        return self.shared.read()

    async def patch(self, kind, key, patch, *, type, subresource=None):  # noqa: A002  # as Api has it
        await self.pause()
        self.shared.merge(patch) if type is PatchType.MERGE else self.shared.apply(patch)
        return self.shared.read()

    async def pause(self):
        await asyncio.sleep(self.rng.choice([0.0, 0.1, 0.5, 60.0] if self.rng.random() < 0.2 else [0.01]))


class Replica:
    """Writes for as long as it thinks that it leads, and does not ask again in the middle of a write."""

    def __init__(self, name, leases, shared, rng):
        self.name = name
        self.link = leases.link(seconds=0.1, rng=rng)
        self.led = []
        self.elector = Elector(self.link, "lease", Candidacy(name), on_started=self.led.append, rng=rng)
        self.fenced = 0
        self.api = SlowApi(shared, rng)
        self.tasks = [asyncio.create_task(self.elector.run()), asyncio.create_task(self.work())]

    async def work(self):
        while True:
            await asyncio.sleep(0.5)
            if not self.elector.leads:
                continue
            try:
                fence = Fence(self.api, self.elector.token)
                change = {"op": "add", "path": "/data", "value": {"writer": self.name, "token": str(fence.token)}}
                await fence.patch(ConfigMap, KEY, [change])
            except Fenced:
                self.fenced += 1
            except (Conflict, Invalid, LeadershipLost):
                pass

    async def end(self):
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, LeadershipLost):
                await task


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", range(5))
async def test_no_write_of_a_former_leader_comes_after_one_of_its_successor(seed, count):
    """L13: 10 seeds of 25 fail-overs, 250 in all, two and three replicas: kills, partitions, and pauses of a minute."""
    rng = random.Random(seed)
    leases, shared, living, former = MemoryLeases(), OneObject(), [], []
    started = 0
    while len({token for one in former for token in one.led}) < FAILOVERS_A_SEED:
        while len(living) < count:
            living.append(Replica(f"r{started}", leases, shared, rng))
            started += 1
        await asyncio.sleep(rng.uniform(5, 60))
        leaders = [one for one in living if one.elector.leads]
        victim = leaders[0] if leaders else rng.choice(living)
        living.remove(victim)
        former.append(victim)
        if rng.random() < 0.4:
            await victim.end()
        else:
            victim.link.up = False  # its worker goes on with what it was about to write
    for one in (*living, *former):
        await one.end()

    assert shared.history == sorted(shared.history)
    assert len(set(shared.history)) >= FAILOVERS_A_SEED * 0.8, "nearly each of them wrote"
    assert sum(one.fenced for one in former) > 0, "or no pause ended after a successor had written"
