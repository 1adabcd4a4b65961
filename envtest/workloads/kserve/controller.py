"""Stands in for KServe's controller: follows InferenceServices as the script says, on any API server.

The mode is what the annotation `serving.kserve.io/deploymentMode` says, else `default_mode`, which is KServe's own
Standard unless another is given. There are no Pods, no routes and no webhooks: what is there is the status that a
promoter reads.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from importlib.resources import files
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from windlass.controller import Channel, Context, Manager, Request, Result, Settings
from windlass.envtest.workloads.kserve.behaviour import Behaviour
from windlass.envtest.workloads.kserve.knative import knative_step
from windlass.envtest.workloads.kserve.memory import Memory
from windlass.envtest.workloads.kserve.standard import standard_step
from windlass.envtest.workloads.objects import Json, at
from windlass.informers import Api, Client, Cluster, CustomResourceDefinition, Key, Resource
from windlass.informers.errors import AlreadyExists, Conflict, NotFound

__all__ = ("InferenceService", "KServe", "inference_service_definition")

InferenceService = Resource("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")

_ANNOTATION = "serving.kserve.io/deploymentMode"
_STEPS = {
    "Knative": knative_step,
    "Serverless": knative_step,
    "Standard": standard_step,
    "RawDeployment": standard_step,
}


def inference_service_definition() -> Json:
    """The CustomResourceDefinition of InferenceService."""
    text = files("windlass.envtest.workloads.kserve").joinpath("definition.yaml").read_text("utf-8")
    found: Json = yaml.safe_load(text)
    return found


class KServe:
    """KServe's controller, as far as traffic is concerned. Used as `async with KServe(cluster, script): …`; runs once.

    `script` says how a release behaves, by a part of what its predictor names; `change` has it behave otherwise. A
    changed InferenceService is followed after `lag_seconds`. Only those of `namespace` are followed, if one is given.
    """

    def __init__(
        self,
        cluster: Cluster,
        script: Mapping[str, Behaviour] | None = None,
        *,
        default_mode: Literal["Knative", "Standard"] = "Standard",
        lag_seconds: float = 0.0,
        namespace: str | None = None,
    ) -> None:
        self._script: dict[str, Behaviour] = dict(script or {})
        self._cluster = cluster
        self._default_mode = default_mode
        self._lag_seconds = lag_seconds
        self._memories: dict[str, Memory] = {}
        self._keys: set[Key] = set()
        self._channel = Channel("script")
        self._seen: dict[str, tuple[int, float]] = {}
        settings = Settings(field_manager="kserve", grace_seconds=5.0)
        self.manager = Manager(kinds=[InferenceService], cluster=cluster, namespace=namespace, settings=settings)
        self.manager.controller(self._reconcile, for_=InferenceService, sources=[self._channel], name="kserve")

    def __repr__(self) -> str:
        return f"<KServe {self._cluster.server} services={len(self._memories)}>"

    def change(self, release: str, behaviour: Behaviour) -> None:
        """From now on, what names `release` behaves so."""
        self._script[release] = behaviour
        for key in sorted(self._keys):
            self._channel.put(key, "script")

    async def __aenter__(self) -> Self:
        """Return when the kind is served and followed. Raises as `Manager` does, and ApiError."""
        async with Client(self._cluster) as client:
            await _install(Api(client))
        await self.manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in order. InferenceServices stay as they are."""
        await self.manager.__aexit__(kind, error, trace)

    async def _reconcile(self, ctx: Context, request: Request) -> Result:
        """One InferenceService."""
        found = await ctx.get(InferenceService, request.key)
        if found is None:
            return Result.done()
        self._keys.add(request.key)
        service = found.to_dict()
        lag = self._lag_left(service)
        if lag > 0:
            return Result.after(lag)
        mode = str(at(service, "metadata", "annotations", _ANNOTATION) or self._default_mode)
        memory = self._memories.get(found.uid, Memory()).scripted(self._script)
        status, memory, wake = _STEPS[mode](service, memory, self._script, now=ctx.services.clock())
        self._memories[found.uid] = memory
        try:
            await ctx.status(found, **_whole(service, status))
        except Conflict:  # it was changed meanwhile; the change wakes it again
            return Result.again()
        return Result.done() if wake is None else Result.after(wake)

    def _lag_left(self, service: dict[str, Any]) -> float:
        now = asyncio.get_running_loop().time()
        uid, generation = str(service["metadata"]["uid"]), int(service["metadata"]["generation"])
        known = self._seen.get(uid)
        if known is None or known[0] != generation:
            known = self._seen[uid] = (generation, now)
        return known[1] + self._lag_seconds - now


def _whole(service: Json, status: Json) -> Json:
    """The status, with None for the fields that are to go."""
    gone = {name: None for name in at(service, "status") or {} if name not in status}
    return {**gone, **status}


async def _install(api: Api) -> None:
    with contextlib.suppress(AlreadyExists):
        await api.create(CustomResourceDefinition, inference_service_definition())
    async with asyncio.timeout(30):
        while True:
            try:
                await api.list(InferenceService, limit=1)
            except NotFound:
                await asyncio.sleep(0.1)
            else:
                return
