"""A whole operator on a whole server: what a user writes, from the definition of the kind to the garbage collector."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
from servers import EVERY_SERVER, Server, open_server

from windlass.controller import (
    DEFAULT,
    Context,
    Manager,
    Request,
    Result,
    Settings,
    generation_changed,
    status_changed,
)
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Event, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.informers.typed import CustomResource
from windlass.manifests.install import install
from windlass.manifests.kinds import kind

pytestmark = pytest.mark.realtime(limit=90)

SERVERS = pytest.mark.parametrize("server_kind", EVERY_SERVER)
FINALIZER = "tests.windlass.dev/archive"


@attrs.frozen
class GreetingSpec:
    text: str


@attrs.frozen
class GreetingStatus:
    phase: str = ""
    observed: str = ""


@kind("controller.tests.windlass.dev/v1")
@attrs.frozen
class Greeting(CustomResource):
    spec: GreetingSpec
    status: GreetingStatus = GreetingStatus()


async def reconcile(ctx: Context, request: Request) -> Result:
    greeting = await ctx.get(Greeting, request.key)
    if greeting is None:
        return Result.done()
    await ctx.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{greeting.key.name}-text"},
            "data": {"text": greeting.spec.text},
        },
        owner=greeting,
    )
    await ctx.status(greeting, phase="Ready", observed=greeting.spec.text)
    return Result.done()


@attrs.frozen
class Place:
    """A server with the kind installed, and a namespace of the test's own."""

    server: Server
    cluster: Cluster
    api: Api
    namespace: str

    def manager(self, **settings) -> Manager:
        defaults = {"grace_seconds": 5.0, "sync_timeout_seconds": 20.0, "field_manager": "greeter"}
        return Manager(
            kinds=[Greeting],
            cluster=self.cluster,
            namespace=self.namespace,
            settings=Settings(**{**defaults, **settings}),
        )

    def greeting(self, name: str, text: str, **metadata) -> dict:
        return {
            "apiVersion": "controller.tests.windlass.dev/v1",
            "kind": "Greeting",
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "spec": {"text": text},
        }

    def key(self, name: str) -> Key:
        return Key(self.namespace, name)


@asynccontextmanager
async def open_place(server_kind: str) -> AsyncIterator[Place]:
    async with open_server(server_kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [Greeting])
            namespace = f"greetings-{uuid.uuid4().hex[:8]}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            yield Place(server, cluster, api, namespace)


async def eventually(question: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Ask until the answer is yes."""
    async with asyncio.timeout(seconds):
        while not await question():  # noqa: ASYNC110 - the answer is in another process
            await asyncio.sleep(0.02)


async def text_of(place: Place, name: str) -> str | None:
    try:
        found = await place.api.get(ConfigMap, place.key(f"{name}-text"))
    except NotFound:
        return None
    return found.to_dict()["data"]["text"]


async def status_of(place: Place, name: str) -> dict:
    return (await place.api.get(Greeting, place.key(name))).to_dict().get("status", {})


@pytest.mark.parametrize("server_kind", EVERY_SERVER[:2])  # a real collector takes most of a minute to see a new kind
async def test_an_operator_of_ten_lines_keeps_an_owned_object_and_a_status_true(server_kind):
    async with open_place(server_kind) as place:
        manager = place.manager()
        manager.controller(reconcile, for_=Greeting, owns=[ConfigMap])
        async with manager:
            await place.api.create(Greeting, place.greeting("hello", "good morning"))

            async def ready() -> bool:
                return (await status_of(place, "hello")) == {"phase": "Ready", "observed": "good morning"}

            await eventually(ready)
            assert await text_of(place, "hello") == "good morning"

            # The spec changes; the owned object is damaged; the owned object is deleted: all are put right.
            await place.api.patch(Greeting, place.key("hello"), {"spec": {"text": "good night"}})
            await eventually(lambda: _is(text_of(place, "hello"), "good night"))
            await place.api.patch(ConfigMap, place.key("hello-text"), {"data": {"text": "vandalism"}})
            await eventually(lambda: _is(text_of(place, "hello"), "good night"))
            await place.api.delete(ConfigMap, place.key("hello-text"))
            await eventually(lambda: _is(text_of(place, "hello"), "good night"))

            # The owner goes, and the cluster takes what it owned.
            await place.api.delete(Greeting, place.key("hello"), propagation="Background")
            await eventually(lambda: _is(text_of(place, "hello"), None), seconds=50)  # a real collector is slow
        assert manager.controllers[0].statistics.errors == 0


@SERVERS
@pytest.mark.parametrize("wakes", [DEFAULT, generation_changed | status_changed], ids=lambda one: one.name)
async def test_a_status_that_somebody_else_writes_wakes_whoever_asks_for_status(server_kind, wakes):
    """The generation stays as it is, which is where such changes get lost; each of them is put right here."""
    async with open_place(server_kind) as place:
        manager = place.manager()
        manager.controller(reconcile, for_=Greeting, predicates=[wakes])
        right = {"phase": "Ready", "observed": "hi"}
        await place.api.create(Greeting, place.greeting("touched", "hi"))
        async with manager:
            await eventually(lambda: _is(status_of(place, "touched"), right))
            for number in range(5):
                wrong = {"status": {"phase": f"Wrong{number}"}}
                await place.api.patch(Greeting, place.key("touched"), wrong, subresource="status")
                await eventually(lambda: _is(status_of(place, "touched"), right))
            assert (await place.api.get(Greeting, place.key("touched"))).generation == 1


async def _is(answer: Awaitable[object], wanted: object) -> bool:
    return await answer == wanted


@SERVERS
async def test_an_operator_comes_to_rest_after_its_own_writes(server_kind):
    """F8, F9: its own status write wakes it, that run writes nothing, and then there is quiet."""
    async with open_place(server_kind) as place:
        manager = place.manager()
        controller = manager.controller(reconcile, for_=Greeting, owns=[ConfigMap])
        await place.api.create(Greeting, place.greeting("calm", "hush"))
        async with manager:
            await eventually(lambda: _is(text_of(place, "calm"), "hush"))
            await asyncio.sleep(0.5)
            runs = controller.statistics.results["success"]
            version = (await place.api.get(Greeting, place.key("calm"))).resource_version
            await asyncio.sleep(0.5)
            assert controller.statistics.results["success"] == runs
            assert (await place.api.get(Greeting, place.key("calm"))).resource_version == version
            assert runs <= 4
        assert controller.statistics.stale_starts == 0


@SERVERS
async def test_a_finalizer_holds_the_object_until_the_clean_up_is_done(server_kind):
    """F1, F2: added before anything else is done, removed only after the clean-up, which may fail and come again."""
    cleaned: list[str] = []

    async def with_finalizer(ctx: Context, request: Request) -> Result:
        greeting = await ctx.get(Greeting, request.key)
        if greeting is None:
            return Result.done()
        if greeting.metadata.deletion_timestamp is not None:
            cleaned.append(request.key.name)
            if len(cleaned) == 1:
                raise RuntimeError("the archive is closed for a moment")
            await ctx.remove_finalizer(greeting, FINALIZER)
        elif not await ctx.add_finalizer(greeting, FINALIZER):
            await ctx.status(greeting, phase="Archived")
        return Result.done()

    async with open_place(server_kind) as place:
        manager = place.manager()
        manager.controller(with_finalizer, for_=Greeting)
        async with manager:
            await place.api.create(Greeting, place.greeting("kept", "x", finalizers=["example.com/other"]))
            await eventually(lambda: _is(_phase(place, "kept"), "Archived"))
            found = await place.api.get(Greeting, place.key("kept"))
            assert found.finalizers == ("example.com/other", FINALIZER)
            await place.api.delete(Greeting, place.key("kept"))

            async def only_the_other_is_left() -> bool:
                return (await place.api.get(Greeting, place.key("kept"))).finalizers == ("example.com/other",)

            await eventually(only_the_other_is_left)
            assert cleaned[:2] == ["kept", "kept"]
            await place.api.patch(Greeting, place.key("kept"), {"metadata": {"finalizers": None}})
            await eventually(lambda: _gone(place, "kept"))


async def _phase(place: Place, name: str) -> str:
    return (await status_of(place, name)).get("phase", "")


async def _gone(place: Place, name: str) -> bool:
    try:
        await place.api.get(Greeting, place.key(name))
    except NotFound:
        return True
    return False


@SERVERS
async def test_an_event_is_recorded_once_however_often_and_by_whomever_it_is_recorded(server_kind):
    async def announce(ctx: Context, request: Request) -> None:
        greeting = await ctx.get(Greeting, request.key)
        if greeting is not None:
            for _ in range(3):
                ctx.event(greeting, reason="Greeted", message=f"said {greeting.spec.text}", dedupe="greeted")

    async def recorded(place: Place) -> list[dict]:
        events = await place.api.list(Event, namespace=place.namespace)
        return [found for found in (one.to_dict() for one in events.items) if found["reason"] == "Greeted"]

    async with open_place(server_kind) as place:
        await place.api.create(Greeting, place.greeting("loud", "hey"))
        for _ in range(2):
            manager = place.manager()
            manager.controller(announce, for_=Greeting)
            async with manager:

                async def there() -> bool:
                    return len(await recorded(place)) == 1

                await eventually(there)
                await asyncio.wait_for(manager.recorder.flush(), 5.0)
        (event,) = await recorded(place)
        assert event["involvedObject"]["kind"] == "Greeting"
        assert event["involvedObject"]["name"] == "loud"
        assert event["source"]["component"] == event["reportingComponent"] == "greeter"
        assert (event["type"], event["message"], event["count"]) == ("Normal", "said hey", 1)


async def test_an_operator_outlives_a_restart_of_the_api_server(tmp_path):
    """Changes made while nobody watched are found; nothing has to be restarted."""
    from windlass.envtest.apiserver import ApiServer

    database = tmp_path / "state.db"
    async with ApiServer(database=database) as first:
        port = int(first.url.rpartition(":")[2])
        cluster = Cluster.from_dict(first.kubeconfig())
        token = first.token
        async with Client(cluster) as client:
            await install(Api(client), [Greeting])
        place = Place(first, cluster, Api(Client(cluster)), "default")
        manager = place.manager()
        manager.controller(reconcile, for_=Greeting, owns=[ConfigMap])
        async with Client(cluster) as client, manager:
            place = attrs.evolve(place, api=Api(client))
            await place.api.create(Greeting, place.greeting("old", "before"))
            await eventually(lambda: _is(text_of(place, "old"), "before"))
            await first.stop()
            await asyncio.sleep(0.3)
            async with ApiServer(database=database, port=port, token=token):
                await place.api.create(Greeting, place.greeting("new", "after"))
                await eventually(lambda: _is(text_of(place, "new"), "after"), seconds=40.0)
                await place.api.patch(Greeting, place.key("old"), {"spec": {"text": "changed"}})
                await eventually(lambda: _is(text_of(place, "old"), "changed"), seconds=40.0)
