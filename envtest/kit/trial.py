"""A trial says what is to be tried; a stage is one run of it, in a namespace of its own and from the same beginning."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import attrs

from windlass.controller.errors import ManagerError
from windlass.controller.manager import Manager
from windlass.controller.settings import Settings
from windlass.envtest.errors import NeverAtRest, TrialError
from windlass.envtest.kit.effects import Effects
from windlass.envtest.kit.endstate import Address, Derived, EndState, Without, nothing, read_end_state
from windlass.envtest.kit.lives import Life
from windlass.envtest.kit.quiescence import unrest
from windlass.envtest.kit.wires import wired
from windlass.informers.api import Api, Body
from windlass.informers.builtins import Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import InformersError, NotFound
from windlass.informers.keys import Key
from windlass.informers.resources import Kind, Resource, resource_of
from windlass.informers.typed import CustomResource, unstructure
from windlass.informers.wire import Wire

__all__ = ("Act", "Operator", "Setup", "Stage", "Trial", "Until", "open_stage")

Setup: TypeAlias = Callable[[Manager], object]
"""Adds an operator to a manager, as the function given to `windlass run --operator` does."""
Until: TypeAlias = Callable[[Api, str], Awaitable[bool]]
"""Whether the end is reached in the namespace."""
Act: TypeAlias = Callable[[Api, str], Awaitable[object]]
"""What a user does in the namespace."""

_LOOK_SECONDS = 0.01
_TIMERS_WITHIN_SECONDS = 5.0


def _objects(value: Body | Sequence[Body]) -> tuple[Body, ...]:
    return (value,) if isinstance(value, Mapping | CustomResource) else tuple(value)


@attrs.frozen
class Trial:
    """An operator and the objects that it is tried on.

    `setup` is called for each start with a fresh manager. `objects` (one or several, namespaced; their namespace is
    replaced) are there before the operator starts; their kinds are known to the cluster already. `then` is what a user
    does once the operator has come to rest, such as deleting them; the trial goes on from there to rest again.

    The end is reached when the operator is at rest and `until`, if given, says so: for an operator that asks the outer
    world again and again, or waits for other controllers. With `until`, pending timers do not count as unrest; without
    it, those of the next five seconds do.

    Compared are the objects in the namespace of every kind that the operator watches, reads or writes, and of `kinds`,
    without `volatile` (dotted paths of fields); and the counts of `effects`. Names that an operator computes from an
    object's uid differ from run to run: `derived` says of a uid which they are, and a word for each. `limit_seconds` is
    how long each way to the end may take; an end that differs is looked at again for `settle_seconds`, for controllers
    of the server's, such as the garbage collector, may not be done yet. `settings` are the manager's; probes are not
    served, and the loop is not watched.
    """

    setup: Setup
    objects: Sequence[Body] = attrs.field(converter=_objects)
    cluster: Cluster
    then: Act | None = attrs.field(default=None, kw_only=True)
    until: Until | None = attrs.field(default=None, kw_only=True)
    effects: Effects = attrs.field(factory=Effects, kw_only=True)
    kinds: Sequence[Kind] = attrs.field(default=(), kw_only=True)
    volatile: Sequence[str] = attrs.field(default=(), kw_only=True)
    derived: Derived = attrs.field(default=nothing, kw_only=True)
    limit_seconds: float = attrs.field(default=30.0, kw_only=True)
    settle_seconds: float = attrs.field(default=2.0, kw_only=True)
    settings: Settings = attrs.field(factory=Settings, kw_only=True)

    def manager(self, cluster: Cluster, namespace: str) -> Manager:
        """A manager with the operator, not started."""
        # A thread and a port would outlive a life that ends without a farewell.
        settings = attrs.evolve(self.settings, block_threshold_seconds=0, probe_port=None)
        manager = Manager(cluster=cluster, namespace=namespace, settings=settings)
        self.setup(manager)
        if not manager.controllers:
            raise TrialError(f"Trial.setup: expected a function that adds controllers, {self.setup!r} added none")
        return manager


@attrs.define(eq=False)
class Operator:
    """One life of the operator."""

    life: Life
    manager: Manager
    started: asyncio.Event = attrs.field(factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    async def live(self) -> None:
        """Run until stopped."""
        async with self.manager:
            self.started.set()
            await self.manager.wait()

    async def stop(self) -> None:
        """The orderly end. Raises what the operator fails with meanwhile; nothing of what it has failed with before."""
        task = self.task
        if task is None or task.done():
            return
        if self.started.is_set():
            self.manager.stop()
            await task
        else:
            task.cancel()
            await asyncio.wait([task])


class Stage:
    """One run. Made by `open_stage`; the operator is started as often as the run wants."""

    def __init__(self, trial: Trial, api: Api, namespace: str) -> None:
        self.trial = trial
        self.api = api
        self.namespace = namespace
        self.addresses: set[Address] = {_address(resource_of(kind)) for kind in trial.kinds}
        self._operators: list[Operator] = []

    async def create_objects(self) -> None:
        """What the trial begins with. Raises TrialError for an object that cannot be created."""
        scheme = self.trial.manager(self.trial.cluster, self.namespace).scheme
        for number, body in enumerate(self.trial.objects):
            value = dict(body if isinstance(body, Mapping) else unstructure(body))
            try:
                resource = scheme.named(str(value.get("apiVersion", "")), str(value.get("kind", "")))
            except ManagerError as error:
                raise TrialError(
                    f"Trial.objects[{number}]: expected a kind that Trial.setup registers: {error}"
                ) from error
            if not resource.namespaced:
                raise TrialError(f"Trial.objects[{number}]: expected a namespaced kind, found {resource}")
            value["metadata"] = {**value.get("metadata", {}), "namespace": self.namespace}
            self.addresses.add(_address(resource))
            try:
                await self.api.create(resource, value)
            except NotFound as error:
                hint = "install its definition first (windlass.manifests.install)"
                raise TrialError(f"Trial.objects[{number}]: the cluster does not serve {resource}: {hint}") from error
            except InformersError as error:
                raise TrialError(f"Trial.objects[{number}] cannot be created: {error}") from error

    def start(self, life: Life, wire: Wire) -> Operator:
        """A new life of the operator begins, with `wire` between it and the server."""
        operator = Operator(life, self.trial.manager(wired(self.trial.cluster, wire), self.namespace))
        for controller in operator.manager.controllers:
            self.addresses |= {_address(watch.resource) for watch in controller.spec.watches}
            self.addresses |= {_address(resource) for resource in controller.spec.reads}
        operator.task = life.begin(operator.live())
        self._operators.append(operator)
        return operator

    async def bury(self, operator: Operator) -> None:
        """Do for a life that was ended what the kernel does for a process: close its connections."""
        self._operators.remove(operator)
        await operator.life.bury()
        try:
            client = operator.manager.client
        except ManagerError:  # it had not come so far
            return
        await client.__aexit__(None, None, None)

    async def end_reached(self, operator: Operator) -> bool:
        """Wait for the end; False when the life has ended before. Raises NeverAtRest, and what the operator raised."""
        deadline = asyncio.get_running_loop().time() + self.trial.limit_seconds
        while (why := await self._missing(operator)) and not operator.life.over:
            if asyncio.get_running_loop().time() > deadline:
                raise NeverAtRest(f"the operator has not come to rest in {self.trial.limit_seconds:g} s: {why}")
            await asyncio.sleep(_LOOK_SECONDS)
        return not operator.life.over

    async def end_state(self) -> EndState:
        """What is there now."""
        return await read_end_state(
            self.api.client,
            self.namespace,
            self.addresses,
            effects=self.trial.effects.counts,
            without=Without(tuple(self.trial.volatile), self.trial.derived),
        )

    async def close(self) -> None:
        """Stop what still runs, clear away what was killed, and let the namespace go."""
        for operator in list(self._operators):
            if operator.life.over:
                await self.bury(operator)
            else:
                await operator.stop()
        await self.api.delete(Namespace, Key("", self.namespace))

    async def _missing(self, operator: Operator) -> str:
        """What the end still lacks."""
        if operator.task is not None and operator.task.done() and not operator.life.over:
            operator.task.result()
            raise NeverAtRest("the operator has ended by itself")
        if not operator.started.is_set():
            return "it has not started"
        until = self.trial.until
        why = await unrest(
            operator.manager, self.api, timers_within=0.0 if until is not None else _TIMERS_WITHIN_SECONDS
        )
        if not why and until is not None and not await until(self.api, self.namespace):
            return "Trial.until does not hold"
        return why


@asynccontextmanager
async def open_stage(trial: Trial) -> AsyncIterator[Stage]:
    """A run in a new namespace, from the beginning: the objects are there, no effect has happened."""
    async with Client(attrs.evolve(trial.cluster, wire=None)) as client:
        api = Api(client)
        namespace = f"trial-{secrets.token_hex(5)}"
        await api.create(Namespace, _namespace(namespace))
        stage = Stage(trial, api, namespace)
        trial.effects.begin()
        try:
            await stage.create_objects()
            yield stage
        finally:
            await stage.close()


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _address(resource: Resource) -> Address:
    return (resource.group, resource.version, resource.plural)
