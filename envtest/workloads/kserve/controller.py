"""Stands in for KServe's controller: follows InferenceServices as the script says, on any API server.

The mode is what the annotation `serving.kserve.io/deploymentMode` says, else `default_mode`, which is KServe's own
Standard unless another is given. There are no Pods, no routes and no webhooks: what is there is the status that a
promoter reads.
"""

from collections.abc import Mapping
from typing import Literal

from windlass.controller import Context, Request, Result
from windlass.envtest.workloads.definitions import definitions_in, serve
from windlass.envtest.workloads.kserve.behaviour import Behaviour
from windlass.envtest.workloads.kserve.knative import knative_step
from windlass.envtest.workloads.kserve.memory import Memory
from windlass.envtest.workloads.kserve.standard import standard_step
from windlass.envtest.workloads.lag import Lag
from windlass.envtest.workloads.objects import Json, at, whole_status
from windlass.envtest.workloads.script import Script
from windlass.envtest.workloads.standin import StandIn
from windlass.informers import Api, Cluster, Resource
from windlass.informers.errors import Conflict

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
    return definitions_in("windlass.envtest.workloads.kserve")[0]


class KServe(StandIn):
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
        super().__init__(cluster, "kserve", kinds=[InferenceService], namespace=namespace)
        self._script = Script(script)
        self._default_mode = default_mode
        self._lag_seconds = lag_seconds
        self._memories: dict[str, Memory] = {}
        self._lag = Lag()
        self.manager.controller(self._reconcile, for_=InferenceService, sources=[self._script.channel], name="kserve")

    def __repr__(self) -> str:
        return f"<KServe {self._cluster.server} services={len(self._memories)}>"

    def change(self, release: str, behaviour: Behaviour) -> None:
        """From now on, what names `release` behaves so."""
        self._script.change(release, behaviour)

    async def _prepare(self, api: Api) -> None:
        """Have the kind served."""
        await serve(api, [inference_service_definition()], [InferenceService])

    async def _reconcile(self, ctx: Context, request: Request) -> Result:
        """One InferenceService."""
        found = await ctx.get(InferenceService, request.key)
        if found is None:
            return Result.done()
        self._script.follow(request.key)
        service = found.to_dict()
        lag = self._lag.left(found.uid, found.generation, self._lag_seconds)
        if lag > 0:
            return Result.after(lag)
        mode = str(at(service, "metadata", "annotations", _ANNOTATION) or self._default_mode)
        memory = self._memories.get(found.uid, Memory()).scripted(self._script.behaviours)
        status, memory, wake = _STEPS[mode](service, memory, self._script.behaviours, now=ctx.services.clock())
        self._memories[found.uid] = memory
        try:
            await ctx.status(found, **whole_status(service, status))
        except Conflict:  # it was changed meanwhile; the change wakes it again
            return Result.again()
        return Result.done() if wake is None else Result.after(wake)
