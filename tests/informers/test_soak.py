"""A long run of random changes behind a proxy that keeps failing: at rest, every copy is the server, byte for byte.

`WINDLASS_SEED` is another run; `WINDLASS_SOAK_CHANGES` makes it shorter or longer.
"""

import asyncio
import contextlib
import os
import random
from contextlib import AsyncExitStack

import attrs
import pytest
from answering_proxy import Answer, AnsweringProxy, status
from fault_proxy import FaultProxy
from journal import Journal
from scripted_cluster import running, until
from seeds import announced_seed
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

WRITERS = 4
NAMES = 40
FAST = Backoff(base_seconds=0.02, cap_seconds=0.3)
REFUSALS = [
    Answer.status(429, "TooManyRequests"),
    Answer.status(410, "Expired"),
    Answer.status(500, "InternalError"),
    Answer(503, body=b"busy"),
    Answer(raw=b"garbage\r\n\r\n"),
]
LINES = [
    b'{"type":"ERROR","object":%b}' % status(410, "Expired"),
    b'{"type":"ERROR","object":%b}' % status(429, "TooManyRequests"),
    b'{"type":"ERROR","object":%b}' % status(500, "InternalError"),
    b'{"type":"MODIFIED","object":{"kind":"Secret","apiVersion":"v1","metadata":{"name":"x"}}}',
    b"<html>502 Bad Gateway</html>",
]


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


async def disturb(wire, http, rng):
    """One fault after another, until cancelled; each of ten kinds, on the bytes or on the requests."""
    while True:
        await asyncio.sleep(rng.uniform(0.02, 0.3))
        match rng.randrange(10):
            case 0:
                wire.cut_all()
            case 1:
                async with wire.absent():
                    wire.cut_all()
                    await asyncio.sleep(rng.uniform(0.0, 0.2))
            case 2:
                async with wire.black_hole():
                    wire.cut_all()
                    await asyncio.sleep(rng.uniform(0.0, 0.2))
            case 3:
                wire.cut_after = lambda: rng.randrange(1, 20_000)
                wire.cut_all()
                await asyncio.sleep(rng.uniform(0.1, 0.5))
                wire.cut_after = lambda: None
            case 4:
                wire.silent = True
                await asyncio.sleep(rng.uniform(0.0, 0.3))
                wire.silent = False
            case 5:
                wire.hush()  # for good; it is found out by the silence
            case 6:
                wire.garble = lambda chunk: chunk[: len(chunk) // 2]  # a hole in the stream, which breaks its framing
                await asyncio.sleep(0.02)
                wire.garble = lambda chunk: chunk
                wire.cut_all()
            case 7:
                http.answers += [rng.choice(REFUSALS) for _ in range(rng.randrange(1, 4))]
                wire.cut_all()
            case 8:
                http.alter = lambda line: line.replace(b'"type":"MODIFIED"', b'"type:"MODIFIED"')
                await asyncio.sleep(0.05)
                http.alter = lambda line: line
            case _:
                with contextlib.suppress(ConnectionError):  # its reader has left a moment ago
                    await http.insert(rng.choice(LINES))


def heal(wire, http):
    """Take every fault away."""
    wire.silent, wire.cut_after, wire.garble = False, (lambda: None), (lambda chunk: chunk)
    http.answers, http.alter = [], (lambda line: line)
    wire.cut_all()


async def soak(server, changes):
    seed = announced_seed()
    rng = random.Random(seed)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_forgetful() if server == "embedded" else open_server(server))
        direct = Cluster.from_dict(opened.kubeconfig())
        api = Api(await stack.enter_async_context(Client(direct)))
        http = await stack.enter_async_context(AnsweringProxy(direct))
        wire = await stack.enter_async_context(FaultProxy(http.cluster.server))
        behind = attrs.evolve(http.cluster, server=wire.url)
        client = await stack.enter_async_context(Client(behind, timeouts=Timeouts(1.0, 0.5)))
        namespace = f"soak-{seed}-{server}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        journals = []
        for policy in (Policy(streaming=False, page_size=7), Policy(streaming=True, streaming_silence_seconds=0.3)):
            options = FeedOptions(attrs.evolve(policy, watch_seconds=1.0), FAST, random.Random(rng.random()))
            journals.append(Journal(Informer(client, ConfigMap, namespace=namespace, options=options)))
        async with running(*(journal.informer for journal in journals)):
            disturbance = asyncio.create_task(disturb(wire, http, rng))
            async with asyncio.TaskGroup() as writers:
                for _ in range(WRITERS):
                    each = random.Random(rng.random())
                    writers.create_task(write(api, namespace, each, changes // WRITERS))
            disturbance.cancel()
            await asyncio.wait([disturbance])
            assert disturbance.cancelled(), f"seed {seed}: the faults ended early: {disturbance.exception()!r}"
            heal(wire, http)
            listed = {one.key: one.raw for one in (await api.list(ConfigMap, namespace=namespace)).items}
            for journal in journals:
                informer = journal.informer
                message = f"seed {seed}: the copy is not the server: {informer!r}"
                await until(lambda one=informer: {held.key: held.raw for held in one.store} == listed, 30.0, message)
                journal.check()
                assert journal.contents == listed, message
                counted = informer.statistics()
                print(f"seed {seed}: {changes} changes written, {len(journal.changes)} told to {informer!r},")
                print(f"  relists {counted.relists}, watches opened again {counted.rewatches}")


def _forgetful():
    """A server that remembers so little that a watch that was away for a moment is often too old."""
    return ApiServer(settings=Settings(history_max=200))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "changes"),
    [
        pytest.param("embedded", int(os.environ.get("WINDLASS_SOAK_CHANGES", "50000")), id="embedded"),
        pytest.param("kubernetes", int(os.environ.get("WINDLASS_SOAK_CHANGES", "3000")), id="kubernetes"),
    ],
)
@pytest.mark.realtime(limit=900)
async def test_at_rest_every_copy_is_the_server_byte_for_byte(server, changes, monkeypatch):
    monkeypatch.setattr("windlass.informers.feed.IDLE_MARGIN_SECONDS", 0.3)  # a silent peer is to be left soon
    await soak(server, changes)
