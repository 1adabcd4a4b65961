"""Follows the jobs of one kind as a pure step says, on any API server; whatever is particular to a kind is in its step.

The status is written before Pods are made or deleted: a job that has failed must not be seen without its Pods before it
is seen as failed.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import TracebackType
from typing import Self

import attrs
import yaml

from windlass.controller import Channel, Context, Manager, Request, Result, Settings
from windlass.envtest.workloads.jobkinds.behaviour import Behaviour, behaviour_of
from windlass.envtest.workloads.jobkinds.plan import Plan, Situation, Step
from windlass.envtest.workloads.objects import Json, at, owned_by, template_hash
from windlass.informers import Api, Client, Cluster, CustomResourceDefinition, Key, Object, Pod, Resource
from windlass.informers.errors import AlreadyExists, Conflict, NotFound

__all__ = ("JobController", "Role", "definitions_in")

_SERVED_SECONDS = 30.0


@attrs.frozen(kw_only=True)
class Role:
    """Whom a stand-in stands in for: the kind it follows, its definitions, what else it reads, and its step."""

    name: str
    kind: Resource
    definitions: tuple[Json, ...]
    reads: tuple[Resource, ...] = ()
    step: Step


class JobController:
    """A stand-in. Used as `async with …:`; it runs once. `change` has jobs behave otherwise from then on."""

    def __init__(
        self, cluster: Cluster, role: Role, script: Mapping[str, Behaviour] | None, *, namespace: str | None
    ) -> None:
        self._cluster = cluster
        self._role = role
        self._script: dict[str, Behaviour] = dict(script or {})
        self._keys: set[Key] = set()
        self._forgotten: set[str] = set()
        self._seen: dict[str, tuple[str, float]] = {}
        self._channel = Channel("script")
        settings = Settings(field_manager=role.name, grace_seconds=5.0)
        kinds = [role.kind, *role.reads]
        self.manager = Manager(kinds=kinds, cluster=cluster, namespace=namespace, settings=settings)
        self.manager.controller(
            self._reconcile,
            for_=role.kind,
            owns=[Pod],
            reads=role.reads,
            sources=[self._channel],
            name=role.name,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._cluster.server} jobs={len(self._keys)}>"

    def change(self, name: str, behaviour: Behaviour) -> None:
        """From now on, jobs whose name has `name` in it are treated so."""
        self._script[name] = behaviour
        for key in sorted(self._keys):
            self._channel.put(key, "script")

    async def __aenter__(self) -> Self:
        """Return when the kinds are served and followed. Raises as `Manager` does, and ApiError."""
        async with Client(self._cluster) as client:
            await _install(Api(client), self._role)
        await self.manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in order. Jobs and Pods stay as they are."""
        await self.manager.__aexit__(kind, error, trace)

    async def _reconcile(self, ctx: Context, request: Request) -> Result:
        """One job."""
        found = await ctx.get(self._role.kind, request.key)
        if found is None:
            self._keys.discard(request.key)
            return Result.done()
        self._keys.add(request.key)
        behaviour = behaviour_of(request.key.name, self._script)
        if behaviour.silent or found.deletion is not None or found.uid in self._forgotten:
            return Result.done()
        job = found.to_dict()
        pods = owned_by((one.to_dict() for one in await ctx.list(Pod, namespace=found.namespace)), found.uid)
        others = {kind.kind: tuple(one.to_dict() for one in await ctx.list(kind)) for kind in self._role.reads}
        now = ctx.services.clock()
        plan = self._role.step(Situation(job=job, pods=tuple(pods), others=others, behaviour=behaviour, now=now))
        lag = self._lag_left(found, plan, behaviour.lag_seconds)
        return Result.after(lag) if lag > 0 else await self._perform(ctx, found, plan, behaviour=behaviour)

    async def _perform(self, ctx: Context, found: Object, plan: Plan, *, behaviour: Behaviour) -> Result:
        job = found.to_dict()
        if plan.over and behaviour.forgets:
            self._forgotten.add(found.uid)
            plan = attrs.evolve(plan, status={})
        try:
            if plan.status is not None and await ctx.status(found, **_whole(job, plan.status)):
                return Result.done()  # what came of it wakes the job again
        except Conflict:  # it was changed meanwhile; the change wakes it again
            return Result.again()
        if plan.delete_job or (plan.over and behaviour.vanishes):
            with contextlib.suppress(NotFound):
                await ctx.api.delete(self._role.kind, found.key, uid=found.uid, propagation="Background")
            return Result.done()
        for name in plan.delete:
            await ctx.delete(Pod, Key(found.namespace, name))
        for body in plan.create:
            try:
                await ctx.create(body, owner=found)
            except AlreadyExists:  # an older one of that name is not yet gone
                return Result.after(0.1)
        return Result.done() if plan.wake_seconds is None else Result.after(max(plan.wake_seconds, 0.0))

    def _lag_left(self, found: Object, plan: Plan, lag_seconds: float) -> float:
        """Seconds for which what is to be done now has not been seen yet."""
        if not lag_seconds:
            return 0.0
        now = asyncio.get_running_loop().time()
        mark = template_hash({"state": _state(plan.status or {}), "delete": plan.delete, "create": len(plan.create)})
        known = self._seen.get(found.uid)
        if known is None or known[0] != mark:
            known = self._seen[found.uid] = (mark, now)
        return known[1] + lag_seconds - now


def definitions_in(package: str) -> tuple[Json, ...]:
    """The CustomResourceDefinitions in a package's `definitions.yaml`."""
    text = files(package).joinpath("definitions.yaml").read_text("utf-8")
    return tuple(yaml.safe_load_all(text))


def _state(status: Json) -> Json:
    """What a status says, without its times."""
    conditions = [[one["type"], one["status"], one.get("reason")] for one in status.get("conditions") or ()]
    return {"conditions": conditions} | {name: value for name, value in status.items() if name.startswith("job")}


def _whole(job: Json, status: Json) -> Json:
    """The status, with None for the fields that are to go."""
    gone = {name: None for name in at(job, "status") or {} if name not in status}
    return {**gone, **status}


async def _install(api: Api, role: Role) -> None:
    for definition in role.definitions:
        with contextlib.suppress(AlreadyExists):
            await api.create(CustomResourceDefinition, definition)
    async with asyncio.timeout(_SERVED_SECONDS):
        await _until_served(api, (role.kind, *role.reads))


async def _until_served(api: Api, kinds: Sequence[Resource]) -> None:
    for kind in kinds:
        while True:
            try:
                await api.list(kind, limit=1)
            except NotFound:
                await asyncio.sleep(0.1)
            else:
                break
