"""Faults on real sockets, in front of a server: afterwards the copy is the server, and every change was told once."""

import asyncio
import json
import random
import uuid
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import pytest
from aiohttp import web
from fault_proxy import FaultProxy
from scripted_cluster import running, until
from servers import open_server

from windlass.informers.api import Api
from windlass.informers.backoff import Backoff
from windlass.informers.builtins import ConfigMap, Namespace
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.phases import Policy
from windlass.informers.store import Added, Deleted, Updated

pytestmark = pytest.mark.realtime

SERVERS = ["embedded", "kubernetes"]
OURS = "metadata.name!=kube-root-ca.crt"  # a real control plane puts that one into every namespace
FAST = Backoff(base_seconds=0.02, cap_seconds=0.2)
WAYS = [
    pytest.param(Policy(streaming=False, page_size=3), id="list"),
    pytest.param(Policy(streaming=True, streaming_silence_seconds=0.5), id="streaming list"),
]


class Journal:
    """What a handler was told, checked as it comes: no gap, no repeat, nothing but what follows."""

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
                assert int(new.resource_version) > int(old.resource_version), "back in time"
                self.held[new.key] = new
            case Deleted(one, _):
                del self.held[one.key]


@attrs.frozen
class World:
    api: Api  # straight to the server
    proxy: FaultProxy
    client: Client  # through the proxy
    namespace: str

    def informer(self, policy, seed=1):
        options = FeedOptions(policy, FAST, random.Random(seed))
        return Informer(self.client, ConfigMap, namespace=self.namespace, fields=OURS, options=options)

    async def put(self, name, **data):
        key = Key(self.namespace, name)
        body = {"metadata": {"name": name, "namespace": self.namespace}, "data": data}
        await self.api.apply(ConfigMap, body, field_manager="tests")
        return key

    async def same(self, informer):
        listed = await self.api.list(ConfigMap, namespace=self.namespace, fields=OURS)
        return {one.key: one.raw for one in informer.store.list()} == {one.key: one.raw for one in listed.items}

    async def until_same(self, informer, seconds=20.0):
        async def same():
            return informer.has_synced and await self.same(informer)

        await until(same, seconds, f"the copy is not the server: {informer!r}")


@asynccontextmanager
async def world(server="embedded"):
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_server(server))
        direct = Cluster.from_dict(opened.kubeconfig())
        proxy = await stack.enter_async_context(FaultProxy(direct.server))
        straight = await stack.enter_async_context(Client(direct))
        through = await stack.enter_async_context(
            Client(attrs.evolve(direct, server=proxy.url), timeouts=Timeouts(1.0, 1.0))
        )
        api = Api(straight)
        namespace = f"faults-{uuid.uuid4().hex[:10]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield World(api, proxy, through, namespace)


def http(code, headers="", body=b"{}"):
    head = f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("policy", WAYS)
class TestFaults:
    """What needs no look into the connection, so that it can be TLS."""

    async def test_refused_at_start(self, policy, server):
        async with world(server) as here:
            await here.put("a")
            here.proxy.refuse = True
            informer = here.informer(policy)
            journal = Journal()
            informer.add_handler(journal, name="journal")
            async with running(informer):
                await asyncio.sleep(0.5)
                assert not informer.has_synced
                here.proxy.refuse = False
                await here.until_same(informer)
                assert journal.told == 1

    async def test_cut_after_any_byte_of_the_first_list(self, policy, server):
        async with world(server) as here:
            for index in range(8):
                await here.put(f"m{index}", x=str(index))
            cuts = iter(range(0, 6000, 397))
            here.proxy.cut_after = lambda: next(cuts, None)
            informer = here.informer(policy)
            journal = Journal()
            informer.add_handler(journal, name="journal")
            async with running(informer):
                await here.until_same(informer)
                assert journal.told == 8

    async def test_every_stream_cut_again_and_again_while_things_change(self, policy, server):
        rng = random.Random(5)
        async with world(server) as here:
            informer = here.informer(policy)
            journal = Journal()
            informer.add_handler(journal, name="journal")
            async with running(informer):
                await here.until_same(informer)
                here.proxy.cut_after = lambda: rng.randrange(1, 3000)
                here.proxy.cut_all()
                for index in range(200):
                    key = await here.put(f"m{rng.randrange(15)}", x=str(index))
                    if rng.random() < 0.3:
                        await here.api.delete(ConfigMap, key)
                    if rng.random() < 0.1:
                        here.proxy.cut_all()
                        await asyncio.sleep(0.03)
                here.proxy.cut_after = lambda: None
                await here.until_same(informer)
                assert {one.key: one.raw for one in informer.store} == {
                    key: one.raw for key, one in journal.held.items()
                }
            assert here.proxy.connections > 5

    async def test_a_peer_that_accepts_and_says_nothing(self, policy, server):
        async with world(server) as here:
            await here.put("a")
            here.proxy.silent = True
            informer = here.informer(policy)
            async with running(informer):
                await asyncio.sleep(1.0)
                assert not informer.has_synced
                here.proxy.silent = False
                here.proxy.cut_all()
                await here.until_same(informer)

    async def test_an_object_as_large_as_the_server_takes(self, policy, server):
        async with world(server) as here:
            informer = here.informer(policy)
            async with running(informer):
                await here.until_same(informer)
                await here.put("large", blob="x" * 900_000)
                await here.until_same(informer)
                assert informer.store.bytes_held > 900_000


@pytest.mark.parametrize("policy", WAYS)
class TestAnswers:
    """What the proxy says in the server's place, over plain HTTP."""

    async def test_storms_of_429_and_503(self, policy):
        async with world() as here:
            await here.put("a")
            here.proxy.answers = [http(429, "Retry-After: 0\r\n"), http(503, body=b"<html>busy</html>")] * 5
            informer = here.informer(policy)
            journal = Journal()
            informer.add_handler(journal, name="journal")
            async with running(informer):
                await here.until_same(informer)
                here.proxy.answers = [http(503), http(429)] * 4
                here.proxy.cut_all()
                await here.put("b")
                await here.until_same(informer)
            assert journal.told == 2
            causes = {*informer.statistics().relists, *informer.statistics().rewatches}
            assert {"throttled", "server_error"} <= causes

    async def test_a_malformed_line(self, policy):
        async with world() as here:
            informer = here.informer(policy)
            journal = Journal()
            informer.add_handler(journal, name="journal")
            async with running(informer):
                await here.until_same(informer)
                here.proxy.garble = lambda chunk: chunk.replace(b'{"type":"ADDED"', b'<"type":"ADDED"')
                await here.put("a")
                await asyncio.sleep(0.3)
                assert len(informer.store) == 0
                here.proxy.garble = lambda chunk: chunk
                await here.until_same(informer)
                assert informer.statistics().rewatches["malformed"] >= 1
                assert journal.told == 1


@asynccontextmanager
async def large_server(first, second):
    """An HTTP server whose one object is `first` by list and becomes `second` by watch."""

    async def answer(request):
        if "watch" not in request.query:
            return web.Response(
                body=b'{"kind":"ConfigMapList","metadata":{"resourceVersion":"5"},"items":[%b]}' % first
            )
        response = web.StreamResponse()
        await response.prepare(request)
        if "sendInitialEvents" in request.query:
            mark = {"resourceVersion": "5", "annotations": {"k8s.io/initial-events-end": "true"}}
            bookmark = {"type": "BOOKMARK", "object": {"kind": "ConfigMap", "metadata": mark}}
            await response.write(b'{"type":"ADDED","object":%b}\n%b\n' % (first, json.dumps(bookmark).encode()))
        await response.write(b'{"type":"MODIFIED","object":%b}\n' % second)
        await asyncio.sleep(60)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("policy", WAYS)
async def test_an_object_of_five_mebibytes(policy):
    """A5; no server takes one so large, but one that did would be copied."""
    texts = []
    for version in ("5", "6"):
        metadata = {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": version}
        value = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": {"x": version * 5 * 2**20}}
        texts.append(json.dumps(value, separators=(",", ":")).encode())
    async with large_server(*texts) as url, Client(Cluster(url)) as client:
        informer = Informer(client, ConfigMap, options=FeedOptions(policy, FAST))
        seen = []
        informer.add_handler(seen.append, name="log")
        async with running(informer):
            await until(lambda: len(seen) >= 2, 30.0)
            assert [one.raw for one in informer.store] == texts[1:]
    assert [(type(change), len(change.object.raw)) for change in seen] == [
        (Added, len(texts[0])),
        (Updated, len(texts[1])),
    ]


async def test_a_token_that_expires_under_a_watch_is_renewed_and_nothing_is_missed():
    async with world() as here:
        good = await here.client.cluster.credentials.header()

        class Expiring:
            certificate = None
            renewals = 0
            current = good

            async def header(self, *, refused=None):
                if refused is not None:
                    self.renewals += 1
                    self.current = good
                return self.current

        credentials = Expiring()
        expiring = Client(attrs.evolve(here.client.cluster, credentials=credentials))
        async with expiring:
            informer = Informer(expiring, ConfigMap, namespace=here.namespace, options=FeedOptions(Policy(), FAST))
            async with running(informer):
                await here.until_same(informer)
                credentials.current = "Bearer expired"
                here.proxy.cut_all()
                await here.put("a")
                await here.until_same(informer)
            assert credentials.renewals == 1
            assert informer.statistics().relists == {}
