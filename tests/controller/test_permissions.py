"""What controllers declare is what they may do: derived, and held against the requests that they make."""

import asyncio

import attrs
import pytest
from servers import EVERY_SERVER, open_server

from windlass.controller import Manager, Request, Settings, Watch, map_objects
from windlass.controller.election import LeaderElection
from windlass.controller.permissions import permissions_of
from windlass.informers import Api, Client, Cluster, ConfigMap, CustomResource, Event, Key, Namespace, Pod, Secret
from windlass.informers.builtins import Lease
from windlass.informers.errors import NotFound
from windlass.manifests import kind, needs
from windlass.manifests.install import install
from windlass.manifests.rbac import Need, asked, outside, rules


@attrs.frozen
class GateSpec:
    width: int = 1


@attrs.frozen
class GateStatus:
    open: bool = False


@kind("permissions.windlass.example/v1")
@attrs.frozen
class Gate(CustomResource):
    spec: GateSpec = GateSpec()
    status: GateStatus = GateStatus()


@kind("permissions.windlass.example/v1")
@attrs.frozen
class Fence(CustomResource):
    spec: GateSpec = GateSpec()


async def idle(ctx, request): ...


def rules_for(reconcile, **declared):
    manager = Manager(kinds=[Gate, Fence])
    manager.controller(reconcile, **declared)
    return rules(permissions_of(manager).everywhere)


EVENTS = {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]}


def rule(*resources, verbs, group="permissions.windlass.example"):
    return {"apiGroups": [group], "resources": list(resources), "verbs": verbs}


def test_without_a_word_a_reconciler_may_do_what_its_context_offers():
    watched = Watch(Pod, map_objects(lambda _: []))

    assert rules_for(idle, for_=Gate, owns=[ConfigMap], watches=[watched], reads=[Secret]) == [
        rule("configmaps", verbs=["get", "list", "watch", "create", "patch"], group=""),
        EVENTS,
        rule("pods", "secrets", verbs=["get", "list", "watch"], group=""),
        rule("gates", verbs=["get", "list", "watch", "patch"]),
        rule("gates/finalizers", verbs=["update"]),
        rule("gates/status", verbs=["patch"]),
    ]


def test_a_kind_without_status_has_none_to_write():
    assert rules_for(idle, for_=Fence) == [EVENTS, rule("fences", verbs=["get", "list", "watch", "patch"])]
    assert rule("configmaps/status", verbs=["patch"], group="") not in rules_for(idle, for_=ConfigMap)


def test_a_reconciler_that_says_what_it_writes_may_do_that_alone():
    @needs(ConfigMap, "delete")
    async def reconcile(ctx, request): ...

    assert rules_for(reconcile, for_=Gate, owns=[ConfigMap]) == [
        rule("configmaps", verbs=["get", "list", "watch", "delete"], group=""),
        EVENTS,
        rule("gates", verbs=["get", "list", "watch"]),
        rule("gates/finalizers", verbs=["update"]),
    ]


def test_leases_are_permitted_at_home_and_only_to_those_who_elect():
    elected = Manager(kinds=[Gate], settings=Settings(leader_election=LeaderElection("x")))
    elected.controller(idle, for_=Gate)
    alone = Manager(kinds=[Gate])
    alone.controller(idle, for_=Gate)

    assert permissions_of(elected).at_home == (Need.on(Lease, "get", "list", "create", "update", "delete"),)
    assert permissions_of(alone).at_home == ()
    assert permissions_of(Manager()).everywhere == ()


async def busy(ctx, request: Request) -> None:
    """Everything that a context offers."""
    gate = await ctx.get(Gate, request.key)
    if gate is None:
        return
    if gate.metadata.deletion_timestamp is not None:
        await ctx.remove_finalizer(gate, "example.com/gate")
        return
    if await ctx.add_finalizer(gate, "example.com/gate"):
        return
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": request.key.name}, "data": {"a": "b"}}
    await ctx.apply(body, owner=gate)
    await ctx.create_or_patch(ConfigMap, request.key, lambda one: one.update(data={"a": "c"}), owner=gate)
    await ctx.event(gate, reason="Opened", message="It is open.")
    await ctx.status(gate, open=True)


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server_kind", EVERY_SERVER)
async def test_no_request_of_a_controller_is_outside_of_its_role(server_kind, monkeypatch):
    observed = []
    exchange = Client._exchange

    async def recording(self, request, *arguments, **options):
        if self in recorded:
            observed.append(asked(request.method, request.path, dict(request.query)))
        return await exchange(self, request, *arguments, **options)

    recorded = []
    monkeypatch.setattr(Client, "_exchange", recording)
    namespace = f"permissions-{server_kind}"
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await install(api, [Gate])
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        manager = Manager(kinds=[Gate], cluster=Cluster.from_dict(server.kubeconfig()), namespace=namespace)
        manager.controller(busy, for_=Gate, owns=[ConfigMap])
        start = Client.__aenter__

        async def entered(self):
            recorded.append(self)
            return await start(self)

        monkeypatch.setattr(Client, "__aenter__", entered)
        async with manager:
            key = Key(namespace, "g")
            body = {"apiVersion": "permissions.windlass.example/v1", "kind": "Gate"}
            await api.create(Gate, {**body, "metadata": {"name": "g", "namespace": namespace}})
            await eventually(lambda: is_open(api, key))
            await api.delete(Gate, key)
            await eventually(lambda: is_gone(api, key))

    asks = [ask for ask in observed if ask is not None]
    assert outside(asks, permissions_of(manager).everywhere) == []
    assert {(ask.verb, ask.target) for ask in asks} >= {
        ("list", "gates"),
        ("watch", "gates"),
        ("patch", "gates"),
        ("patch", "gates/status"),
        ("patch", "configmaps"),
        ("create", "events"),
    }
    assert {ask.target for ask in asks} <= {"gates", "gates/status", "configmaps", Event.plural}


async def is_open(api, key):
    return (await api.get(Gate, key)).as_(Gate).status.open


async def is_gone(api, key):
    try:
        await api.get(Gate, key)
    except NotFound:
        return True
    return False


async def eventually(question):
    async with asyncio.timeout(30):
        while not await question():  # noqa: ASYNC110 - the server's answer
            await asyncio.sleep(0.05)
