"""What control does beside the network: a key goes through the queue, a reconciler looks and has nothing to do."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from guarded.copies import Slice

from windlass.controller import Channel, Context, Manager, Request
from windlass.controller.queue import WorkQueue
from windlass.envtest.apiserver import ApiServer
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.credentials import StaticHeader
from windlass.informers.keys import Key

KEYS, OBJECTS, WORKERS = 1_000, 100, 16
ROUNDS = 10


def keys_of(count: int) -> list[Key]:
    return [Key(f"ns-{index % 10}", f"object-{index}") for index in range(count)]


@asynccontextmanager
async def queueing() -> AsyncIterator[tuple[Slice, Slice]]:
    """Add, get, forget and done; the floor is a deque, and a set that keeps a key from standing in line twice.

    For each key of ours the floor takes ROUNDS, lest it be over too soon to be measured.
    """
    keys = keys_of(KEYS)

    async def ours() -> None:
        queue: WorkQueue[Key] = WorkQueue("guard")
        for key in keys:
            queue.add(key)
        while (item := queue.get_nowait()) is not None:
            queue.forget(item.key)
            queue.done(item.key)

    async def floor() -> None:
        for _ in range(ROUNDS):
            line = Line()
            for key in keys:
                line.add(key)
            while line:
                line.take()

    yield ours, floor


class Line:
    """A deque and a set."""

    def __init__(self) -> None:
        self._waiting: deque[Key] = deque()
        self._known: set[Key] = set()

    def add(self, key: Key) -> None:
        if key not in self._known:
            self._known.add(key)
            self._waiting.append(key)

    def take(self) -> Key:
        key = self._waiting.popleft()
        self._known.discard(key)
        return key

    def __len__(self) -> int:
        return len(self._waiting)


@asynccontextmanager
async def reconciling() -> AsyncIterator[tuple[Slice, Slice]]:
    """Runs that read an object from the cache and are done; the floor awaits a function for each key in line.

    For each run of ours the floor does that ROUNDS times, lest it be over too soon to be measured.
    """
    over = asyncio.Event()
    again = Channel("again")
    done = 0

    async def reconcile(ctx: Context, request: Request) -> None:
        nonlocal done
        if await ctx.get(ConfigMap, request.key) is not None:
            done += 1
            if done == OBJECTS:
                over.set()

    async with ApiServer() as server:
        cluster = Cluster(server.url, StaticHeader(f"Bearer {server.token}"))
        await _populate(cluster)
        manager = Manager(cluster=cluster, namespace="default")
        manager.controller(reconcile, for_=ConfigMap, sources=(again,), workers=WORKERS, name="guard")
        async with manager:
            await over.wait()
            store = manager.cache.informer(ConfigMap).store
            keys = store.keys()

            async def ours() -> None:
                nonlocal done
                done = 0
                over.clear()
                for key in keys:
                    again.put(key)
                await over.wait()

            seen = 0

            async def look(key: Key) -> None:
                nonlocal seen
                seen += store.get(key) is not None

            async def floor() -> None:
                for _ in range(ROUNDS):
                    line = Line()
                    for key in keys:
                        line.add(key)
                    while line:
                        await look(line.take())

            yield ours, floor


async def _populate(cluster: Cluster) -> None:
    async with Client(cluster) as client:
        api = Api(client)
        for index in range(OBJECTS):
            metadata = {"name": f"object-{index}", "namespace": "default"}
            value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"pad": "p" * 1_000}}
            await api.create(ConfigMap, value)
