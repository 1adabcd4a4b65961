"""Jobs under the stand-ins on the embedded server, and all their failures by script.

On a real control plane with its own scheduler they are tried in `tests/operators/training/test_cluster_jobs.py`.
"""

import asyncio
import contextlib

import pytest
from servers import open_server

from windlass.envtest.workloads import Workloads
from windlass.envtest.workloads.jobkinds import Behaviour
from windlass.envtest.workloads.ray import KubeRay, RayJob
from windlass.envtest.workloads.trainer import ClusterTrainingRuntime, Trainer, TrainJob, torch_runtime
from windlass.envtest.workloads.trainingoperator import PyTorchJob, TrainingOperator
from windlass.informers import Api, Client, Cluster, Key, Pod
from windlass.informers.errors import Invalid, NotFound

CONTAINER = {"name": "main", "image": "example.com/a:1"}
POD = {"spec": {"containers": [CONTAINER]}}
ALL = "default"
REPLICAS = {"Master": {"replicas": 1, "restartPolicy": "ExitCode", "template": POD}}
SPECS = {
    TrainJob: {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"image": "mine:1", "numNodes": 2}},
    PyTorchJob: {"pytorchReplicaSpecs": REPLICAS | {"Worker": {"replicas": 1, "template": POD}}, "runPolicy": {}},
    RayJob: {"entrypoint": "python t.py", "rayClusterSpec": {"headGroupSpec": {"template": POD}}},
}
LONG = Behaviour(run_seconds=600)
# What becomes of a job whose name ends so.
SCRIPT = {
    "fails": Behaviour(exit_code=3),
    "evicted": Behaviour(evicted=True),
    "long": LONG,
    "slow": LONG,
    "unheard": Behaviour(silent=True),
    "refused": Behaviour(refuses="TrainingRuntimeNotSupported"),
    "forgotten": Behaviour(forgets=True),
    "vanishing": Behaviour(vanishes=True),
    "late": Behaviour(lag_seconds=0.5),
}


class Yard:
    def __init__(self, api):
        self.api = api

    async def create(self, kind, fate, **spec):
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name(kind, fate)}}
        return await self.api.create(kind, body | {"spec": SPECS[kind] | spec}, namespace=ALL)

    async def status(self, kind, fate):
        found = await self.api.get(kind, Key(ALL, name(kind, fate)))
        return found.to_dict().get("status") or {}

    async def until(self, kind, fate, *words):
        """The job's status once it says one of the words."""
        while not set(words) & said(await self.status(kind, fate)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return await self.status(kind, fate)

    async def phases(self, kind, fate):
        """Those of the job's Pods."""
        found = await self.api.list(Pod, namespace=ALL)
        mine = (one.to_dict() for one in found.items if one.name.startswith(name(kind, fate)))
        return [one["status"]["phase"] for one in mine]

    async def gone(self, kind, fate):
        with contextlib.suppress(NotFound):
            while True:
                await self.api.get(kind, Key(ALL, name(kind, fate)))
                await asyncio.sleep(0.2)

    async def suspend(self, kind, fate, *, suspended):
        spec = {"runPolicy": {"suspend": suspended}} if kind is PyTorchJob else {"suspend": suspended}
        await self.api.patch(kind, Key(ALL, name(kind, fate)), {"spec": spec})


def name(kind, fate):
    return f"{kind.kind.lower()}-{fate}"


def said(status):
    """What a status says: its true conditions, or the words of Ray, or that a Job is active."""
    true = {one["type"] for one in status.get("conditions") or () if one["status"] == "True"}
    active = {"active"} if any(one["active"] for one in status.get("jobsStatus") or ()) else set()
    return true | active | {status.get("jobDeploymentStatus"), status.get("jobStatus")} - {None}


@contextlib.asynccontextmanager
async def yard():
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_server("embedded"))
        cluster = Cluster.from_dict(server.kubeconfig())
        await stack.enter_async_context(Workloads(cluster))
        for controller in (Trainer, TrainingOperator, KubeRay):
            await stack.enter_async_context(controller(cluster, SCRIPT))
        api = Api(await stack.enter_async_context(Client(cluster)))
        await api.create(ClusterTrainingRuntime, torch_runtime())
        yield Yard(api)


async def succeed(place):
    for kind in SPECS:
        await place.create(kind, "good")
        await place.create(kind, "late")
    assert said(await place.until(TrainJob, "good", "Complete")) == {"Complete"}
    assert said(await place.until(PyTorchJob, "good", "Succeeded")) == {"Created", "Succeeded"}
    assert said(await place.until(RayJob, "good", "Complete")) == {"Complete", "SUCCEEDED"}
    assert said(await place.until(TrainJob, "late", "Complete")) == {"Complete"}


async def fail(place):
    for kind in SPECS:
        await place.create(kind, "fails")
        await place.create(kind, "evicted")
    for fate in ("fails", "evicted"):
        assert said(await place.until(TrainJob, fate, "Failed")) == {"Failed"}
        assert said(await place.until(PyTorchJob, fate, "Failed")) == {"Created", "Failed"}
        assert said(await place.until(RayJob, fate, "Failed")) == {"Failed", "FAILED"}


async def be_suspended_and_resumed(place):
    running = {TrainJob: "active", PyTorchJob: "Running", RayJob: "RUNNING"}
    for kind, word in running.items():
        await place.create(kind, "long")
        await place.until(kind, "long", word)
        await place.suspend(kind, "long", suspended=True)
        await place.until(kind, "long", "Suspended")
    for kind, word in running.items():
        while await place.phases(kind, "long"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await place.suspend(kind, "long", suspended=False)
        await place.until(kind, "long", word)


async def fare_badly(place):
    await place.create(TrainJob, "refused")
    await place.create(TrainJob, "slow", activeDeadlineSeconds=1)
    await place.create(PyTorchJob, "slow", runPolicy={"activeDeadlineSeconds": 1})
    await place.create(RayJob, "slow", activeDeadlineSeconds=1)
    for kind in SPECS:
        await place.create(kind, "unheard")
        await place.create(kind, "vanishing")
    await place.create(PyTorchJob, "forgotten")
    refused = await place.until(TrainJob, "refused", "Failed")
    slow = await place.until(TrainJob, "slow", "Failed")
    assert [one["reason"] for one in refused["conditions"]] == ["TrainingRuntimeNotSupported"]
    assert [one["reason"] for one in slow["conditions"]] == ["DeadlineExceeded"]
    assert "deadline" in (await place.until(PyTorchJob, "slow", "Failed"))["conditions"][-1]["message"]
    assert (await place.until(RayJob, "slow", "Failed"))["reason"] == "DeadlineExceeded"
    for kind in SPECS:
        await place.gone(kind, "vanishing")
        assert await place.status(kind, "unheard") == {}
        assert await place.phases(kind, "unheard") == []
    while await place.phases(PyTorchJob, "forgotten") != ["Succeeded"] * 2:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    while await place.status(PyTorchJob, "forgotten"):  # noqa: ASYNC110
        await asyncio.sleep(0.2)


@pytest.mark.realtime(limit=120)
async def test_jobs_fare_as_their_controllers_have_it():
    async with yard() as place, asyncio.TaskGroup() as group:
        for scene in (succeed, fail, be_suspended_and_resumed, fare_badly):
            group.create_task(scene(place))


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trainer": {"image": "other:1", "numNodes": 2}}, "trainer"),
        ({"runtimeRef": {"name": "other"}}, "runtimeRef"),
        ({"managedBy": "kueue.x-k8s.io/multikueue"}, "managedBy"),
    ],
)
async def test_what_is_immutable_of_a_train_job_cannot_be_changed(change, field):
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Trainer(cluster, {"": Behaviour(silent=True)}), Client(cluster) as client:
            place = Yard(Api(client))
            await place.create(TrainJob, "good")
            with pytest.raises(Invalid, match=field):
                await place.api.patch(TrainJob, Key(ALL, "trainjob-good"), {"spec": change})
