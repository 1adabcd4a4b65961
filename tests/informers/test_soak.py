"""A long run of random changes behind a proxy that keeps failing: at rest, every copy is the server, byte for byte.

`WINDLASS_SOAK_SEED` repeats a run; `WINDLASS_SOAK_CHANGES` makes it shorter or longer.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack

import attrs
import pytest
from fault_proxy import FaultProxy
from scripted_cluster import running, until
from servers import open_server

from windlass.envtest.apiserver import ApiServer
from windlass.envtest.apiserver.server import Settings
from windlass.informers.api import Api
from windlass.informers.backoff import Backoff
from windlass.informers.builtins import ConfigMap, Namespace
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.errors import Conflict, NotFound
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.phases import Policy
from windlass.informers.store import Added, Deleted, Updated

SEED = int(os.environ.get("WINDLASS_SOAK_SEED") or random.SystemRandom().randrange(2**32))
WRITERS = 4
NAMES = 40
FAST = Backoff(base_seconds=0.02, cap_seconds=0.3)
REFUSALS = [
    b"HTTP/1.1 429 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.1 503 X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy",
    b"HTTP/1.1 500 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"garbage\r\n\r\n",
]


class Journal:
    """A handler that believes what it is told, and checks that it can be believed."""

    def __init__(self):
        self.held = {}
        self.told = 0

    def __call__(self, change):
        self.told += 1
        match change:
            case Added(one, _):
                assert one.key not in self.held
                self.held[one.key] = one
            case Updated(old, new):
                assert self.held[new.key] is old
                self.held[new.key] = new
            case Deleted(one, _):
                del self.held[one.key]


async def write(api, namespace, rng, changes):
    """One writer: creates, patches and deletes objects of names that the others use, too."""
    for number in range(changes):
        key = Key(namespace, f"m{rng.randrange(NAMES)}")
        try:
            if rng.random() < 0.75:
                await api.patch(ConfigMap, key, {"data": {"n": f"{number}", "pad": "x" * rng.randrange(200)}})
            else:
                await api.delete(ConfigMap, key)
        except NotFound:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": key.name, "namespace": namespace}}
            try:
                await api.create(ConfigMap, body)
            except Conflict:
                pass
            except Exception as error:
                if getattr(error, "status_code", 0) != 409:
                    raise


async def disturb(proxy, rng, *, readable):
    """One fault after another; `readable` when the proxy sees plain HTTP and may answer itself."""
    while True:
        await asyncio.sleep(rng.uniform(0.02, 0.3))
        match rng.randrange(7 if readable else 4):
            case 0:
                proxy.cut_all()
            case 1:
                proxy.refuse = True
                proxy.cut_all()
                await asyncio.sleep(rng.uniform(0.0, 0.2))
                proxy.refuse = False
            case 2:
                proxy.cut_after = lambda: rng.randrange(1, 20_000)
                proxy.cut_all()
                await asyncio.sleep(rng.uniform(0.1, 0.5))
                proxy.cut_after = lambda: None
            case 3:
                proxy.silent = True
                await asyncio.sleep(rng.uniform(0.0, 0.3))
                proxy.silent = False
            case 4:
                proxy.answers += [rng.choice(REFUSALS) for _ in range(rng.randrange(1, 4))]
                proxy.cut_all()
            case 5:
                proxy.garble = lambda chunk: chunk.replace(b'"type":"MODIFIED"', b'"type:"MODIFIED"')
                await asyncio.sleep(0.05)
                proxy.garble = lambda chunk: chunk
            case _:
                proxy.garble = lambda chunk: chunk[: len(chunk) // 2]  # a hole in the stream, which breaks its framing
                await asyncio.sleep(0.02)
                proxy.garble = lambda chunk: chunk
                proxy.cut_all()


async def soak(server, changes):
    rng = random.Random(SEED)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_forgetful() if server == "embedded" else open_server(server))
        direct = Cluster.from_dict(opened.kubeconfig())
        proxy = await stack.enter_async_context(FaultProxy(direct.server))
        api = Api(await stack.enter_async_context(Client(direct)))
        behind = attrs.evolve(direct, server=proxy.url)
        client = await stack.enter_async_context(Client(behind, timeouts=Timeouts(1.0, 0.5)))
        namespace = f"soak-{SEED}-{server}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        copies = {}
        for policy in (Policy(streaming=False, page_size=7), Policy(streaming=True, streaming_silence_seconds=0.3)):
            options = FeedOptions(policy, FAST, random.Random(rng.random()))
            informer = Informer(client, ConfigMap, namespace=namespace, options=options)
            copies[informer] = Journal()
            informer.add_handler(copies[informer], name="journal")
        async with running(*copies):
            disturbance = asyncio.create_task(disturb(proxy, rng, readable=direct.server.startswith("http://")))
            async with asyncio.TaskGroup() as writers:
                for _ in range(WRITERS):
                    each = random.Random(rng.random())
                    writers.create_task(write(api, namespace, each, changes // WRITERS))
            disturbance.cancel()
            proxy.refuse, proxy.silent, proxy.answers = False, False, []
            proxy.cut_after, proxy.garble = (lambda: None), (lambda chunk: chunk)
            proxy.cut_all()
            listed = {one.key: one.raw for one in (await api.list(ConfigMap, namespace=namespace)).items}
            for informer, journal in copies.items():
                message = f"seed {SEED}: {informer!r} {informer.statistics()}"
                await until(lambda copy=informer: _raw(copy.store) == listed, 30.0, message)
                assert _raw(journal.held.values()) == listed, message
                assert informer.statistics().handler_failures == {"journal": 0}, message
                print(message, f"changes told: {journal.told}")


def _forgetful():
    """A server that remembers so little that a watch that was away for a moment is often too old."""
    return ApiServer(settings=Settings(history_max=200))


def _raw(objects):
    return {one.key: one.raw for one in objects}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "changes"),
    [
        pytest.param("embedded", int(os.environ.get("WINDLASS_SOAK_CHANGES", "50000")), id="embedded"),
        pytest.param("kubernetes", int(os.environ.get("WINDLASS_SOAK_CHANGES", "3000")), id="kubernetes"),
    ],
)
@pytest.mark.realtime(limit=900)
async def test_at_rest_every_copy_is_the_server_byte_for_byte(server, changes):
    await soak(server, changes)
