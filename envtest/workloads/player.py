"""Stands in for the kubelet of every Node: plays the stages of each Pod that has one, and nothing else."""

import asyncio
import contextlib

import msgspec

from windlass.controller import Context, Request, Result
from windlass.envtest.workloads.objects import Json, written_time
from windlass.envtest.workloads.stages import Stage, delay_of, next_stage, status_after
from windlass.informers import Key, Object, PatchType, Pod
from windlass.informers.errors import Conflict, NotFound
from windlass.informers.requests import Request as HttpRequest

__all__ = ("PodPlayer",)

_AT_ONCE = msgspec.json.encode({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})


class PodPlayer:
    """A reconciler of Pods. What it remembers is only since when a Pod fits its next stage."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = stages
        self._since: dict[Key, tuple[tuple[str, str, str], float]] = {}

    def __repr__(self) -> str:
        return f"<PodPlayer stages={len(self._stages)} waiting={len(self._since)}>"

    async def __call__(self, ctx: Context, request: Request) -> Result:
        """Play the next stage of a Pod if its time has come."""
        found = await ctx.get(Pod, request.key)
        if found is None:
            self._since.pop(request.key, None)
            return Result.done()
        pod: Json = found.to_dict()
        stage = next_stage(pod, self._stages)
        if stage is None:
            self._since.pop(request.key, None)
            return Result.done()
        left = self._left(pod, request.key, stage)
        if left > 0:
            return Result.after(left)
        if stage.then.delete:
            await self._delete(ctx, request.key, found.uid)
            return Result.done()
        return await self._write(ctx, found, status_after(pod, stage, written_time(ctx.services.clock())))

    async def _write(self, ctx: Context, found: Object, status: Json) -> Result:
        patch = {"metadata": {"resourceVersion": found.resource_version}, "status": status}
        try:
            await ctx.api.patch(Pod, found.key, patch, type=PatchType.MERGE, subresource="status")
        except NotFound:
            pass
        except Conflict:  # somebody else wrote meanwhile; the next run decides anew
            return Result.again()
        # The same stage may come again, for another run of the container.
        self._since.pop(found.key, None)
        return Result.done()

    def _left(self, pod: Json, key: Key, stage: Stage) -> float:
        """Seconds until the stage is due: its delay, counted from when the Pod was first seen to fit."""
        now = asyncio.get_running_loop().time()
        mark = (pod["metadata"]["uid"], stage.name, _runs(pod))
        known = self._since.get(key)
        if known is None or known[0] != mark:
            known = self._since[key] = (mark, now)
        return known[1] + delay_of(pod, stage) - now

    async def _delete(self, ctx: Context, key: Key, uid: str) -> None:
        path = Pod.path(key.namespace, key.name)
        body = msgspec.json.encode({**msgspec.json.decode(_AT_ONCE), "preconditions": {"uid": uid}})
        with contextlib.suppress(NotFound):
            await ctx.api.client.send(HttpRequest("DELETE", path, body=body, what=f"delete {Pod} {key} at once"))


def _runs(pod: Json) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return ",".join(str(one.get("restartCount", 0)) for one in statuses)
