"""A server that dies in an answer and comes back, or forgets: the copy is the server, every change told once."""

import asyncio
import functools
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import pytest
from fault_proxy import FaultProxy
from journal import Journal
from scripted_cluster import running, until
from servers import control_plane_binaries, forget_history

from windlass.envtest.apiserver import ApiServer
from windlass.envtest.controlplane import ControlPlane
from windlass.informers.api import Api
from windlass.informers.backoff import Backoff
from windlass.informers.builtins import ConfigMap
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.phases import Policy

FAST = Backoff(base_seconds=0.02, cap_seconds=0.2)
OURS = "metadata.name!=kube-root-ca.crt"
COUNT = 30
PAGE = 4


class Embedded:
    """The embedded server over one database; a restart is another server at another port."""

    def __init__(self, stack, database):
        self._stack, self._database = stack, database

    async def start(self):
        self.running = ApiServer(database=self._database, token="t")
        await self.running.__aenter__()
        self._stack.push_async_callback(self.stop)

    async def stop(self):
        running_server, self.running = self.running, None
        if running_server is not None:
            await running_server.__aexit__(None, None, None)

    async def restart(self):
        await self.stop()
        await asyncio.sleep(0.2)
        await self.start()

    def kubeconfig(self):
        return self.running.kubeconfig()


class Kubernetes:
    """A kube-apiserver that is killed. Without a watch cache, so that its first list comes in pages as well (R3)."""

    def __init__(self, stack, _):
        self._stack = stack

    async def start(self):
        flags = ("--watch-cache=false",)
        self.running = await self._stack.enter_async_context(
            ControlPlane(control_plane_binaries(), extra_apiserver_flags=flags)
        )

    async def restart(self):
        self.running.kill_apiserver()
        await self.running.restart_apiserver()

    def kubeconfig(self):
        return self.running.kubeconfig()


@attrs.define
class World:
    server: Embedded | Kubernetes
    proxy: FaultProxy
    api: Api
    client: Client
    lists: list = attrs.field(factory=list)  # the continue token of each list that the client sent, in order

    texts: Iterator[str] = attrs.field(factory=lambda: iter("abcdef"))

    def called(self, request, code, seconds):
        if request.verb == "list":
            self.lists.append(dict(request.query).get("continue"))

    def retried(self, request, code):
        pass

    async def restart(self):
        """Take the server away under whatever is open, and bring it back."""
        self.proxy.refuse = True
        self.proxy.cut_all()
        await self.server.restart()
        self.api.client.cluster = Cluster.from_dict(self.server.kubeconfig())
        port = self.api.client.cluster.server.rpartition(":")[2]
        self.proxy.target = self.proxy.target._replace(netloc=f"127.0.0.1:{port}")
        self.proxy.refuse, self.proxy.cut_after = False, lambda: None

    async def put(self, index, text="x"):
        body = {"metadata": {"name": f"m{index:02}", "namespace": "default"}, "data": {"x": text * 2000}}
        return await self.api.apply(ConfigMap, body, field_manager="tests")

    async def same(self, informer):
        listed = await self.api.list(ConfigMap, namespace="default", fields=OURS)
        return {one.key: one.raw for one in informer.store} == {one.key: one.raw for one in listed.items}


@asynccontextmanager
async def world(kind, tmp_path):
    async with AsyncExitStack() as stack:
        server = {"embedded": Embedded, "kubernetes": Kubernetes}[kind](stack, tmp_path / "api.db")
        await server.start()
        direct = Cluster.from_dict(server.kubeconfig())
        proxy = await stack.enter_async_context(FaultProxy(direct.server))
        api = Api(await stack.enter_async_context(Client(direct)))
        through = Client(attrs.evolve(direct, server=proxy.url), timeouts=Timeouts(1.0, 5.0))
        here = World(server, proxy, api, await stack.enter_async_context(through))
        through.observer = here
        for index in range(COUNT):
            await here.put(index)
        yield here


# A real server takes its time to come back, so it dies less often.
@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize(("server", "page_sizes"), [("embedded", (0, PAGE)), ("kubernetes", (PAGE,))])
async def test_a_server_that_dies_in_a_list_in_a_page_and_in_a_watch(server, page_sizes, tmp_path):
    async with world(server, tmp_path) as here:
        for page_size in page_sizes:
            here.lists.clear()
            here.proxy.cut_after = lambda: 20_000  # of some 66 000; in the third page, where there are pages
            policy = Policy(streaming=False, page_size=page_size)
            options = FeedOptions(policy, FAST, random.Random(1))
            informer = Informer(here.client, ConfigMap, namespace="default", fields=OURS, options=options)
            journal = Journal(informer)
            async with running(informer):
                await until(functools.partial(_died, here, informer, page_size), turn=0.002)
                assert not informer.has_synced
                await here.restart()
                await informer.ready(20)
                assert await here.same(informer)
                assert len(journal.changes) == COUNT, "each was told once"
                await _die_while_it_watches(here, informer, journal)
                await _forget_while_it_is_away(here, informer, journal)
            journal.check()
            await here.put(COUNT - 1)


def _died(here, informer, page_size):
    """Whether the connection broke in a list; where there are pages, after the first of them."""
    return "connection" in informer.statistics().relists and (not page_size or any(here.lists))


async def _die_while_it_watches(here, informer, journal):
    del journal.changes[:]
    here.proxy.silent = True
    await here.put(1, next(here.texts))  # nobody hears of it before the server is gone
    await here.restart()
    here.proxy.silent = False
    await here.api.delete(ConfigMap, Key("default", f"m{COUNT - 1:02}"))
    await here.api.create(ConfigMap, {"metadata": {"name": "new"}}, namespace="default")
    await until(lambda: here.same(informer), 20.0)
    await here.api.delete(ConfigMap, Key("default", "new"))
    await until(lambda: here.same(informer), 20.0)
    # Between objects there is no order (I2), and a relist tells deletions first (R7).
    assert sorted(one.lstrip("-") for one in journal.told) == ["+new", f"m{COUNT - 1:02}", "new", "~m01"]
    assert [one for one in journal.told if one.endswith("new")] in (["+new", "-new"], ["+new", "--new"])


async def _forget_while_it_is_away(here, informer, journal):
    """Watches from versions that the server itself has forgotten, twice in a row (R2, R7, R8, I19, scenario 29)."""
    for text in ("g", "h"):
        del journal.changes[:]
        expired = informer.statistics().relists.get("expired", 0)
        old = informer.store.get(Key("default", "m02"))
        async with here.proxy.absent():
            here.proxy.cut_all()
            await here.api.delete(ConfigMap, old.key)
            await here.put(2, text)
            await here.api.delete(ConfigMap, Key("default", "m03"))
            latest = await here.put(4, text)
            await forget_history(here.server.running, latest.resource_version)
        await until(lambda: here.same(informer), 20.0)
        assert informer.statistics().relists["expired"] > expired
        assert journal.told == ["--m03", "~m02", "~m04"], "deletions first; made again unseen is one update"
        assert informer.store.get(old.key).uid != old.uid
        await here.put(3)
        await until(lambda: here.same(informer), 20.0)
