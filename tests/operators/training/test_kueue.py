"""TrainingJobs that name a LocalQueue, under the stand-in of Kueue and that of Kubeflow Trainer, on two servers.

Their Pods' commands run as processes of this machine. The built-in queue has one place, as Kueue has quota for one Pod.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import pytest
from kubelet import STAGES, Kubelet
from servers import control_plane_binaries, open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.envtest.controlplane import ControlPlane
from windlass.envtest.workloads import Workloads
from windlass.envtest.workloads.kueue import ClusterQueue, Kueue, LocalQueue, cluster_queue, local_queue
from windlass.envtest.workloads.trainer import ClusterTrainingRuntime, Trainer, TrainJob, torch_runtime
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table
from windlass.statemachine.conditions import Conditions

TRAINER = Path(__file__).parents[3] / "docs" / "examples" / "own-trainer" / "train.py"
TRAIN = [sys.executable, "-P", str(TRAINER)]
# The trainer commits a checkpoint an epoch and sleeps: each Pod gets one step further.
SLOW = {"epochs": 2, "pauseSeconds": 600}


class House:
    """A cluster whose Pods run, and the folder of a controller."""

    def __init__(self, path, api, cluster, kubelet):
        self.path, self.api, self.cluster, self.kubelet = path, api, cluster, kubelet
        self.settings = TrainingSettings(
            path / "state",
            path / "models",
            progress_seconds=0.05,
            executors=ExecutorRegistry(discover=lambda: ()),
            queues={"small": 1},
        )

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster)
        setup(manager, self.settings)
        async with manager:
            yield

    async def apply(self, name, command, **hyperparameters):
        labels = {"kueue.x-k8s.io/queue-name": "team"}
        body = {
            "apiVersion": "ai.windlass.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "data": {"uri": (self.path / "digits").as_uri(), "version": 0},
                "executor": "trainjob",
                "output": {"model": name},
                "queue": "small",
                "workload": {"image": "example.com/trainer:1", "command": command, "labels": labels},
                "hyperparameters": hyperparameters,
            },
        }
        await self.api.create(TrainingJob, body)

    async def steer(self, name, **spec):
        await self.api.patch(TrainingJob, Key("default", name), {"spec": spec})

    async def stop(self, policy):
        await self.api.patch(ClusterQueue, Key("", "machines"), {"spec": {"stopPolicy": policy}})

    async def until(self, name, met):
        """The job's status once `met` says yes to it."""
        while True:
            found = (await self.api.get(TrainingJob, Key("default", name))).as_(TrainingJob)
            if met(found.status):
                return found.status
            await asyncio.sleep(0.1)

    async def waits(self, name, why):
        return await self.until(name, lambda status: status.run is not None and why in status.run.waiting)

    async def ended(self, name):
        return await self.until(name, lambda status: status.phase in ("Succeeded", "Failed", "Cancelled"))

    async def pods(self):
        """The names of the jobs that have Pods which are not at their end."""
        found = [pod for pod in await self.kubelet.pods() if pod["status"].get("phase") in (None, "Pending", "Running")]
        return sorted({pod["metadata"]["annotations"]["ai.windlass.dev/training-job"] for pod in found})

    async def objects(self, name):
        found = (await self.api.list(TrainJob, namespace="default")).items
        return [one for one in found if one.annotations["ai.windlass.dev/training-job"] == name]

    async def saved(self, run, step):
        """Return when the run has the checkpoint of a step."""
        manifest = self.settings.runs / run.id / "checkpoints" / f"{step:010d}" / "manifest.json"
        while not manifest.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    def resumed_from(self, name):
        return [one["RESUME_FROM_STEP"] for one in self.kubelet.started_for(name)]


async def restart_controller_manager(plane):
    """It learns at its start, and else every 30 s, of kinds whose objects it has to collect."""
    deadline = asyncio.get_running_loop().time() + 60
    await plane._children["kube-controller-manager"].stop(10)
    await plane._start_controller_manager(plane._running_place(), deadline)


@contextlib.asynccontextmanager
async def house(path, kind):
    """With Kubeflow Trainer, without Kueue."""
    await asyncio.to_thread(write_sample_table, path / "digits")
    async with contextlib.AsyncExitStack() as stack:
        real = kind == "kubernetes"
        plane = ControlPlane(control_plane_binaries(), scheduler=True) if real else open_server(kind)
        server = await stack.enter_async_context(plane)
        cluster = Cluster.from_dict(server.kubeconfig())
        api = Api(await stack.enter_async_context(Client(cluster)))
        await install(api, [TrainingJob])
        await stack.enter_async_context(Workloads(cluster, stages=STAGES, controllers=not real))
        kubelet = await stack.enter_async_context(Kubelet(api))
        await stack.enter_async_context(Trainer(cluster))
        await api.create(ClusterTrainingRuntime, torch_runtime())
        if real:
            await restart_controller_manager(server)
        yield House(path, api, cluster, kubelet)


async def without_kueue_the_built_in_queue_gives_the_place(place):
    await place.apply("holds", ["sleep", "600"])
    holding = await place.until("holds", lambda status: status.run is not None and status.phase == "Running")
    await place.apply("stands", TRAIN)
    standing = await place.until("stands", lambda status: "position 1 in queue small" in trained(status))
    assert (holding.run.queue, standing.phase, await place.objects("stands")) == ("small", "Queued", [])
    await place.steer("holds", cancel=True)

    assert (await place.ended("stands")).phase == "Succeeded"


async def the_missing_queue_and_the_one_on_hold_are_waited_for(place):
    await place.apply("first", TRAIN, **SLOW)
    await place.waits("first", "Inadmissible: LocalQueue team doesn't exist")
    machines = cluster_queue("machines", pods=1)
    await place.api.create(ClusterQueue, machines | {"spec": machines["spec"] | {"stopPolicy": "Hold"}})
    await place.api.create(LocalQueue, local_queue("team", "machines"))
    status = await place.waits("first", "ClusterQueue machines is inactive")

    assert (status.phase, status.run.queue, status.run.held) == ("Running", "kueue.x-k8s.io/team", True)
    assert await place.pods() == []
    await place.stop("None")


async def the_second_waits_for_quota_and_for_no_place_of_ours(place):
    first = await place.until("first", lambda status: status.attempts[-1].child is not None)
    await place.saved(first.run, 1)
    await place.apply("second", TRAIN, epochs=1)
    await place.waits("second", "insufficient unused quota for pods in flavor default, 1 more needed")

    assert await place.pods() == ["first"]


async def the_evicted_goes_on_from_its_checkpoint(place, kueue):
    """A9, A12: no Pods, the attempt unchanged, and nothing counted."""
    await place.stop("Hold")
    await kueue.evict((await place.objects("first"))[0].uid)
    evicted = await place.waits("first", "evicted, Preempted: Preempted by script")
    while await place.pods():  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    assert (evicted.run.attempt, evicted.run.failures, evicted.run.held) == (1, 0, True)
    await place.stop("None")
    await place.saved(evicted.run, 2)

    going_on = await place.until("first", lambda status: not status.run.waiting)
    assert (going_on.run.attempt, going_on.run.held, await place.pods()) == (1, False, ["first"])


async def the_suspended_gives_its_quota_to_the_next(place):
    """A12; suspended by its own spec, the object is deleted, for Kueue would let it go on."""
    await place.steer("first", suspend=True)
    await place.until("first", lambda status: status.phase == "Suspended")
    assert await place.objects("first") == []
    second = await place.ended("second")
    await place.steer("first", suspend=False)
    first = await place.ended("first")

    assert (second.phase, second.run.attempt, first.phase, first.run.failures) == ("Succeeded", 1, "Succeeded", 0)
    assert (place.resumed_from("second"), place.resumed_from("first")) == (["0"], ["0", "0", "2"])


def trained(status):
    found = Conditions.of(status.conditions).get("Trained")
    return "" if found is None else found.message


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_jobs_that_name_a_local_queue_train_when_kueue_admits_them(tmp_path, kind):
    async with house(tmp_path, kind) as place, place.controller():
        await without_kueue_the_built_in_queue_gives_the_place(place)
        async with Kueue(place.cluster, kinds=(TrainJob,)) as kueue:
            await the_missing_queue_and_the_one_on_hold_are_waited_for(place)
            await the_second_waits_for_quota_and_for_no_place_of_ours(place)
            await the_evicted_goes_on_from_its_checkpoint(place, kueue)
            await the_suspended_gives_its_quota_to_the_next(place)
