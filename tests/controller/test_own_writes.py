"""A controller's own writes: waited for, never hidden, never mistaken for what is there (F9-F11)."""

import asyncio
from types import SimpleNamespace

import msgspec

from windlass.controller.context import Services
from windlass.controller.controller import Controller
from windlass.controller.handlers import map_self
from windlass.controller.predicates import DEFAULT
from windlass.controller.scheme import Scheme
from windlass.controller.settings import utc_now
from windlass.controller.spec import ControllerSpec, WatchSpec
from windlass.informers.barrier import Barrier
from windlass.informers.builtins import ConfigMap
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Store, StoreWriter

KEY = Key("ns", "a")
API = SimpleNamespace(client=None)


def make(version, **data):
    metadata = {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": str(version)}
    return Object.parse(
        msgspec.json.encode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    )


class OneKind:
    """A cache of one kind: a real store and a real barrier, and the watch is `arrives` and `relisted`."""

    def __init__(self):
        self.store = Store()
        self.barrier = Barrier(self.store, "configmaps.v1")
        self.writer = StoreWriter(self.store)
        self.handlers = []

    def informer(self, resource):
        return self

    def add_handler(self, handler, *, name):
        self.handlers.append(handler)
        return SimpleNamespace(has_synced=True, remove=lambda: None)

    async def ready(self):
        """It is."""

    def get(self, kind, key):
        return self.store.get(key)

    async def caught_up(self, resource, key, timeout):
        return await self.barrier.wait(key, timeout)

    def writing(self, resource, key):
        return self.barrier.writing(key)

    def arrives(self, obj):
        change = self.writer.put(obj)
        self.barrier.changed(obj.key, obj)
        self.barrier.reached(obj.resource_version)
        for handler in self.handlers:
            handler(change)

    def relisted(self, version):
        """A new list, at `version`, in which nothing is."""
        changes = list(self.writer.replace({}))
        self.barrier.reached(version)
        for change in changes:
            for handler in self.handlers:
                handler(change)


async def running(cache, reconcile):
    watches = (WatchSpec(ConfigMap, map_self, (DEFAULT,)),)
    controller = Controller(ControllerSpec(name="configs", reconcile=reconcile, watches=watches))
    controller.attach(cache)
    services = Services(cache, Scheme(), SimpleNamespace(), "tests", utc_now)
    task = asyncio.create_task(controller.run(services, API))
    await controller.ready()
    return controller, task


def write(ctx, version):
    """What a write through `ctx.api` does: it is announced, and answered with a version."""
    with ctx.api.observer.writing(ConfigMap, KEY) as pending:
        pending.wrote(make(version))


async def test_the_change_of_an_own_write_wakes_the_key_so_that_a_foreign_one_between_is_never_missed():
    """F10: suppressing what looks like our own change is safe only where nobody else can write; so nothing is."""
    cache, seen = OneKind(), []

    async def reconcile(ctx, request):
        found = await ctx.get(ConfigMap, KEY)
        seen.append(found.to_dict()["data"])
        if len(seen) == 1:
            write(ctx, 12)

    controller, task = await running(cache, reconcile)
    cache.arrives(make(10, ours="no"))
    await asyncio.sleep(1)
    cache.arrives(make(11, ours="no", theirs="yes"))  # written by another before our own, and arriving with it
    cache.arrives(make(12, ours="yes", theirs="yes"))
    await asyncio.sleep(1)
    controller.stop()
    await task
    assert seen == [{"ours": "no"}, {"ours": "yes", "theirs": "yes"}]


async def test_after_an_own_write_the_key_waits_for_it_to_come_back():
    """F9."""
    cache, seen = OneKind(), []

    async def reconcile(ctx, request):
        seen.append((asyncio.get_running_loop().time(), (await ctx.get(ConfigMap, KEY)).resource_version))
        if len(seen) == 1:
            write(ctx, 12)

    controller, task = await running(cache, reconcile)
    cache.arrives(make(10))
    await asyncio.sleep(0.5)
    controller.queue.add(KEY)
    await asyncio.sleep(1.5)
    assert len(seen) == 1
    cache.arrives(make(12, ours="yes"))
    await asyncio.sleep(0.5)
    controller.stop()
    await task
    assert seen[1] == (2.0, "12")


async def test_what_we_wrote_and_a_later_list_has_not_is_gone_and_holds_nobody_up():
    """F11: no ghost of our write is read, and no run waits for it."""
    cache, seen = OneKind(), []

    async def reconcile(ctx, request):
        seen.append((asyncio.get_running_loop().time(), await ctx.get(ConfigMap, KEY)))
        if len(seen) == 1:
            write(ctx, 12)

    controller, task = await running(cache, reconcile)
    cache.arrives(make(10))
    await asyncio.sleep(1)
    cache.relisted("20")
    await asyncio.sleep(0.5)
    controller.stop()
    await task
    assert seen[1] == (1.0, None)
    assert controller.statistics.stale_starts == 0
