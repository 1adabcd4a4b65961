"""Follows the jobs of one kind as a pure step says, on any API server; whatever is particular to a kind is in its step.

The status is written before Pods are made or deleted: a job that has failed must not be seen without its Pods before it
is seen as failed.
"""

import contextlib
from collections.abc import Mapping

import attrs

from windlass.controller import Context, Request, Result
from windlass.envtest.workloads.definitions import serve
from windlass.envtest.workloads.jobkinds.behaviour import Behaviour, behaviour_of
from windlass.envtest.workloads.jobkinds.plan import Plan, Situation, Step
from windlass.envtest.workloads.lag import Lag
from windlass.envtest.workloads.objects import Json, owned_by, template_hash, whole_status
from windlass.envtest.workloads.script import Script
from windlass.envtest.workloads.standin import StandIn
from windlass.informers import Api, Cluster, Key, Object, Pod, Resource
from windlass.informers.errors import AlreadyExists, Conflict, NotFound

__all__ = ("JobController", "Role")


@attrs.frozen(kw_only=True)
class Role:
    """Whom a stand-in stands in for: the kind it follows, its definitions, what else it reads, and its step."""

    name: str
    kind: Resource
    definitions: tuple[Json, ...]
    reads: tuple[Resource, ...] = ()
    step: Step


class JobController(StandIn):
    """A stand-in. Used as `async with …:`; it runs once. `change` has jobs behave otherwise from then on."""

    def __init__(
        self, cluster: Cluster, role: Role, script: Mapping[str, Behaviour] | None, *, namespace: str | None
    ) -> None:
        super().__init__(cluster, role.name, kinds=(role.kind, *role.reads), namespace=namespace)
        self._role = role
        self._script = Script(script)
        self._forgotten: set[str] = set()
        self._lag = Lag()
        self.manager.controller(
            self._reconcile,
            for_=role.kind,
            owns=[Pod],
            reads=role.reads,
            sources=[self._script.channel],
            name=role.name,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._cluster.server} jobs={len(self._script)}>"

    def change(self, name: str, behaviour: Behaviour) -> None:
        """From now on, jobs whose name has `name` in it are treated so."""
        self._script.change(name, behaviour)

    async def _prepare(self, api: Api) -> None:
        """Have the kinds served."""
        await serve(api, self._role.definitions, (self._role.kind, *self._role.reads))

    async def _reconcile(self, ctx: Context, request: Request) -> Result:
        """One job."""
        found = await ctx.get(self._role.kind, request.key)
        if found is None:
            self._script.leave(request.key)
            return Result.done()
        self._script.follow(request.key)
        behaviour = behaviour_of(request.key.name, self._script.behaviours)
        if behaviour.silent or found.deletion is not None or found.uid in self._forgotten:
            return Result.done()
        job = found.to_dict()
        pods = owned_by((one.to_dict() for one in await ctx.list(Pod, namespace=found.namespace)), found.uid)
        others = {kind.kind: tuple(one.to_dict() for one in await ctx.list(kind)) for kind in self._role.reads}
        now = ctx.services.clock()
        plan = self._role.step(Situation(job=job, pods=tuple(pods), others=others, behaviour=behaviour, now=now))
        lag = self._lag.left(found.uid, _mark(plan), behaviour.lag_seconds)
        return Result.after(lag) if lag > 0 else await self._perform(ctx, found, plan, behaviour=behaviour)

    async def _perform(self, ctx: Context, found: Object, plan: Plan, *, behaviour: Behaviour) -> Result:
        if plan.over and behaviour.forgets:
            self._forgotten.add(found.uid)
            plan = attrs.evolve(plan, status={})
        try:
            if plan.status is not None and await ctx.status(found, **whole_status(found.to_dict(), plan.status)):
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


def _mark(plan: Plan) -> str:
    """What is to be done, the same for equal plans."""
    return template_hash({"state": _state(plan.status or {}), "delete": plan.delete, "create": len(plan.create)})


def _state(status: Json) -> Json:
    """What a status says, without its times."""
    conditions = [[one["type"], one["status"], one.get("reason")] for one in status.get("conditions") or ()]
    return {"conditions": conditions} | {name: value for name, value in status.items() if name.startswith("job")}
