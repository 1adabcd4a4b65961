"""Stands in for Kueue: jobs that name a LocalQueue wait for quota, are let go on, and lose it by script, on any server.

There is no webhook: a job that was not made suspended is suspended as soon as it is seen. Quota is nominal quota of the
first flavor, without borrowing, preemption of its own, admission checks, priorities or topology.
"""

import contextlib
from collections.abc import Sequence

from windlass.controller import Channel, Context, Request, Result, Watch
from windlass.envtest.workloads.definitions import definitions_in, serve
from windlass.envtest.workloads.kueue.frameworks import FRAMEWORKS, suspension
from windlass.envtest.workloads.kueue.pairing import JOB_UID, pair_step
from windlass.envtest.workloads.kueue.quota import World, quota_step
from windlass.envtest.workloads.objects import Json, whole_status
from windlass.envtest.workloads.standin import StandIn
from windlass.informers import Api, Client, Cluster, Job, Key, Object, Resource
from windlass.informers.errors import AlreadyExists, Conflict, NotFound

__all__ = (
    "ClusterQueue",
    "Kueue",
    "LocalQueue",
    "ResourceFlavor",
    "Workload",
    "cluster_queue",
    "kueue_definitions",
    "local_queue",
)

_GROUP, _VERSION = "kueue.x-k8s.io", "v1beta2"
Workload = Resource(_GROUP, _VERSION, "Workload", "workloads")
LocalQueue = Resource(_GROUP, _VERSION, "LocalQueue", "localqueues")
ClusterQueue = Resource(_GROUP, _VERSION, "ClusterQueue", "clusterqueues", namespaced=False)
ResourceFlavor = Resource(_GROUP, _VERSION, "ResourceFlavor", "resourceflavors", namespaced=False)

_ALL = Key("", "quota")  # the scheduler looks at everything at once


def kueue_definitions() -> tuple[Json, ...]:
    """The CustomResourceDefinitions of Workload, LocalQueue, ClusterQueue and ResourceFlavor."""
    return definitions_in("windlass.envtest.workloads.kueue")


def cluster_queue(name: str, *, flavor: str = "default", **quotas: int | str) -> Json:
    """A ClusterQueue of one flavor with these nominal quotas by resource, such as `pods=1`."""
    resources = [{"name": resource, "nominalQuota": str(amount)} for resource, amount in quotas.items()]
    group = {"coveredResources": list(quotas), "flavors": [{"name": flavor, "resources": resources}]}
    spec = {"namespaceSelector": {}, "queueingStrategy": "BestEffortFIFO", "resourceGroups": [group]}
    return _body(ClusterQueue, {"name": name}, spec)


def local_queue(name: str, cluster_queue: str, *, namespace: str = "default") -> Json:
    """A LocalQueue by which jobs of a namespace come to a ClusterQueue."""
    return _body(LocalQueue, {"name": name, "namespace": namespace}, {"clusterQueue": cluster_queue})


class Kueue(StandIn):
    """Kueue's controllers. Used as `async with Kueue(cluster, kinds=(Job, TrainJob)): …`; it runs once.

    `kinds` are the jobs that it manages, which the cluster must serve: of Job, TrainJob, PyTorchJob and RayJob. Raises
    ValueError for another. Only jobs of `namespace` are followed, if one is given.
    """

    def __init__(self, cluster: Cluster, *, kinds: Sequence[Resource] = (Job,), namespace: str | None = None) -> None:
        unknown = sorted(kind.kind for kind in kinds if kind.kind not in FRAMEWORKS)
        if unknown:
            raise ValueError(f"kinds: expected some of {', '.join(FRAMEWORKS)}, found {', '.join(unknown)}")
        own = (Workload, LocalQueue, ClusterQueue)
        super().__init__(cluster, "kueue", kinds=[*own, *kinds], namespace=namespace)
        self._evictions: dict[str, tuple[str, str]] = {}
        self._channel = Channel("evictions")
        for kind in kinds:
            self.manager.controller(_Pairs(kind), for_=kind, owns=[Workload], name=f"kueue-{kind.plural}")
        watches = [Watch(one, lambda _: [_ALL]) for one in own]
        self.manager.controller(
            self._share, for_=Workload, watches=watches, sources=[self._channel], name="kueue-scheduler", workers=1
        )

    def __repr__(self) -> str:
        return f"<Kueue {self._cluster.server} {self.manager!r}>"

    async def evict(self, job_uid: str, reason: str = "Preempted", message: str = "Preempted by script") -> None:
        """Take from the Workload of a job the quota that it has; it waits again, at its age. Raises LookupError."""
        async with Client(self._cluster) as client:
            found = (await Api(client).list(Workload, labels=f"{JOB_UID}={job_uid}")).items
        if not found:
            raise LookupError(f"there is no Workload of the job with the uid {job_uid}")
        self._evictions[found[0].uid] = (reason, message)
        self._channel.put(_ALL, "evict")

    async def _prepare(self, api: Api) -> None:
        """Have the kinds of Kueue served."""
        await serve(api, kueue_definitions(), (Workload, LocalQueue, ClusterQueue, ResourceFlavor))

    async def _share(self, ctx: Context, request: Request) -> Result:
        """All Workloads, as the server has them now: what was seen before may be behind what was given away here."""
        if request.key != _ALL:
            return Result.done()
        workloads, local, cluster = [await _listed(ctx, kind) for kind in (Workload, LocalQueue, ClusterQueue)]
        world = World(
            workloads=tuple(one.to_dict() for one in workloads),
            local_queues=tuple(one.to_dict() for one in local),
            cluster_queues=tuple(one.to_dict() for one in cluster),
            evictions=dict(self._evictions),
            now=ctx.services.clock(),
        )
        by_uid = {one.uid: one for one in workloads}
        for workload, status in quota_step(world):
            uid = workload["metadata"]["uid"]
            if not await _tell(ctx, by_uid[uid], status):
                return Result.again()
            self._evictions.pop(uid, None)
        return Result.done()


class _Pairs:
    """The reconciler of jobs of one kind, each with its Workload."""

    def __init__(self, kind: Resource) -> None:
        self._kind = kind

    async def __call__(self, ctx: Context, request: Request) -> Result:
        """One job."""
        found = await ctx.get(self._kind, request.key)
        if found is None:
            await self._let_go(ctx, request.key)
            return Result.done()
        workloads = [one for one in await ctx.list(Workload, namespace=found.namespace) if _is_of(one, found.uid)]
        job = found.to_dict()
        plan = pair_step(job, workloads[0].to_dict() if workloads else None, ctx.services.clock())
        try:
            if plan.suspend is not None:
                guard = {"metadata": {"uid": found.uid, "resourceVersion": found.resource_version}}
                await ctx.api.patch(self._kind, found.key, suspension(self._kind.kind, suspended=plan.suspend) | guard)
            if plan.create is not None:
                with contextlib.suppress(AlreadyExists):
                    await ctx.create(plan.create, owner=found)
        except (Conflict, NotFound):
            return Result.again()
        if plan.status is not None and not await _tell(ctx, workloads[0], plan.status):
            return Result.again()
        return Result.done()

    async def _let_go(self, ctx: Context, key: Key) -> None:
        """A job that is gone holds no quota, whether or not somebody collects what it owned."""
        for one in await ctx.list(Workload, namespace=key.namespace):
            owners = [(ref.kind, ref.name) for ref in one.owner_references]
            if (self._kind.kind, key.name) in owners:
                with contextlib.suppress(NotFound, Conflict):
                    await ctx.api.delete(Workload, one.key, uid=one.uid)


def _is_of(workload: Object, uid: str) -> bool:
    return any(ref.uid == uid for ref in workload.owner_references)


async def _listed(ctx: Context, kind: Resource) -> Sequence[Object]:
    return (await ctx.api.list(kind)).items


async def _tell(ctx: Context, workload: Object, status: Json) -> bool:
    """Write a Workload's whole status; False if it was changed meanwhile."""
    try:
        await ctx.status(workload, **whole_status(workload.to_dict(), status))
    except (Conflict, NotFound):
        return False
    return True


def _body(kind: Resource, metadata: Json, spec: Json) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}
