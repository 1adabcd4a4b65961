"""Performs the plans of Jobs, ReplicaSets, Deployments, StatefulSets and the scheduler; decides nothing of its own."""

import asyncio
from collections.abc import Sequence
from typing import Any

import attrs

from windlass.controller import Context, Request, Result
from windlass.envtest.workloads import deployments, jobs, replicas
from windlass.envtest.workloads.objects import Json, ReplicaSet, at, condition, finished, owned_by, written_time
from windlass.envtest.workloads.scheduling import choose_node, why_unschedulable
from windlass.informers import Deployment, Job, Key, Node, Object, Pod, Resource, StatefulSet
from windlass.informers.errors import AlreadyExists, Conflict, NotFound
from windlass.informers.requests import PatchType

__all__ = ("JobReconciler", "Scheduler", "reconcile_deployment", "reconcile_replica_set", "reconcile_stateful_set")

_LOOK_AGAIN_SECONDS = 0.25  # for a Pod that fits nowhere; what would make room for it wakes nobody


async def _owned(ctx: Context, kind: Resource, owner: Object) -> list[Json]:
    found = await ctx.list(kind, namespace=owner.namespace, owner=owner)
    return owned_by((one.to_dict() for one in found), owner.uid)


async def _delete(ctx: Context, kind: Resource, owner: Object, names: Sequence[str]) -> None:
    for name in names:
        await ctx.delete(kind, Key(owner.namespace, name))


@attrs.frozen
class JobReconciler:
    """Follows Jobs. After a failure the next Pod is made `retry_seconds` later, then twice that, and so on."""

    retry_seconds: float

    async def __call__(self, ctx: Context, request: Request) -> Result:
        """One Job."""
        found = await ctx.get(Job, request.key)
        if found is None:
            return Result.done()
        job = found.to_dict()
        pods = await _owned(ctx, Pod, found)
        plan = jobs.step(job, pods, ctx.services.clock(), retry_seconds=self.retry_seconds)
        if plan.delete_job:
            await ctx.api.delete(Job, request.key, uid=found.uid, propagation="Background")
            return Result.done()
        # The status first: a Job that has failed must not be seen without its Pods before it is seen as failed.
        if plan.status and await ctx.status(found, **plan.status):
            return Result.done()  # what came of it wakes the Job again
        await _delete(ctx, Pod, found, plan.delete)
        for index in plan.create:
            await ctx.create(jobs.pod_of(job, index), owner=found)
        return Result.done() if plan.wake_seconds is None else Result.after(plan.wake_seconds)


async def reconcile_replica_set(ctx: Context, request: Request) -> Result:
    """One ReplicaSet."""
    found = await ctx.get(ReplicaSet, request.key)
    if found is None:
        return Result.done()
    owner = found.to_dict()
    plan = replicas.replica_set_step(owner, await _owned(ctx, Pod, found))
    await _delete(ctx, Pod, found, plan.delete)
    for _ in plan.create:
        await ctx.create(replicas.replica_set_pod(owner), owner=found)
    await ctx.status(found, **plan.status)
    return Result.done()


async def reconcile_stateful_set(ctx: Context, request: Request) -> Result:
    """One StatefulSet."""
    found = await ctx.get(StatefulSet, request.key)
    if found is None:
        return Result.done()
    owner = found.to_dict()
    plan = replicas.stateful_set_step(owner, await _owned(ctx, Pod, found))
    await _delete(ctx, Pod, found, plan.delete)
    for number in plan.create:
        try:
            await ctx.create(replicas.stateful_pod(owner, number), owner=found)
        except AlreadyExists:  # somebody else's, or not yet gone
            return Result.again()
    await ctx.status(found, **plan.status)
    return Result.done()


async def reconcile_deployment(ctx: Context, request: Request) -> Result:
    """One Deployment."""
    found = await ctx.get(Deployment, request.key)
    if found is None:
        return Result.done()
    owner = found.to_dict()
    sets = await _owned(ctx, ReplicaSet, found)
    plan = deployments.deployment_step(owner, sets, written_time(ctx.services.clock()))
    if plan.create is not None:
        revisions = [int(at(one, "metadata", "annotations", deployments.REVISION) or 0) for one in sets]
        await ctx.create(deployments.replica_set_of(owner, plan.create, max(revisions, default=0) + 1), owner=found)
    for name, size in plan.scale:
        await ctx.api.patch(ReplicaSet, Key(found.namespace, name), {"spec": {"replicas": size}}, type=PatchType.MERGE)
    await _delete(ctx, ReplicaSet, found, plan.delete)
    await ctx.status(found, **plan.status)
    return Result.done()


class Scheduler:
    """Binds Pods to Nodes, one at a time: what it has bound counts at once, seen in the cache or not."""

    def __init__(self, name: str = "default-scheduler") -> None:
        self._name = name
        self._bound: dict[str, tuple[Json, str]] = {}  # by uid: the Pod, and its Node
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Scheduler {self._name} unseen={len(self._bound)}>"

    async def __call__(self, ctx: Context, request: Request) -> Result:
        """One Pod."""
        async with self._lock:
            found = await ctx.get(Pod, request.key)
            if found is None or not self._is_mine(pod := found.to_dict()) or found.uid in self._bound:
                return Result.done()
            nodes = [one.to_dict() for one in await ctx.list(Node)]
            bound = self._placed([one.to_dict() for one in await ctx.list(Pod)])
            node = choose_node(pod, nodes, bound)
            if node is None:
                message = why_unschedulable(pod, nodes, bound)
                await ctx.status(found, conditions=_unscheduled(pod, message))
                return Result.after(_LOOK_AGAIN_SECONDS)
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": found.name, "namespace": found.namespace, "uid": found.uid},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            }
            try:
                await ctx.api.create(Pod, binding, name=found.name, subresource="binding")
            except (Conflict, NotFound):
                return Result.done()  # bound, or on its way out: the change comes by itself
            self._bound[found.uid] = (pod, node)
            return Result.done()

    def _is_mine(self, pod: Json) -> bool:
        name = at(pod, "spec", "schedulerName") or "default-scheduler"
        going = at(pod, "metadata", "deletionTimestamp")
        return name == self._name and not (at(pod, "spec", "nodeName") or finished(pod) or going)

    def _placed(self, pods: list[Json]) -> list[Json]:
        """The Pods that have a Node, with those of which the cache does not know it yet."""
        there = {pod["metadata"]["uid"]: pod for pod in pods}
        seen = [uid for uid in self._bound if uid not in there or at(there[uid], "spec", "nodeName")]
        for uid in seen:
            del self._bound[uid]
        unseen: list[Json] = [pod | {"spec": pod["spec"] | {"nodeName": node}} for pod, node in self._bound.values()]
        return [pod for pod in pods if at(pod, "spec", "nodeName")] + unseen


def _unscheduled(pod: Json, message: str) -> list[dict[str, Any]]:
    before = condition(pod, "PodScheduled") or {}
    others = [one for one in at(pod, "status", "conditions") or () if one is not before]
    one = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return [*others, before | one]
