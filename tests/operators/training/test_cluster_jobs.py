"""Trainings as TrainJobs, PyTorchJobs and RayJobs, under the stand-ins of their controllers, on two servers.

Their Pods' commands run as processes of this machine. One scene a training; the scenes of a server run side by side.
"""

import asyncio
import contextlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubelet import STAGES, Kubelet
from servers import control_plane_binaries, open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.envtest.controlplane import ControlPlane
from windlass.envtest.workloads import Workloads
from windlass.envtest.workloads.jobkinds import Behaviour
from windlass.envtest.workloads.ray import KubeRay, RayJob
from windlass.envtest.workloads.trainer import ClusterTrainingRuntime, Trainer, TrainJob, torch_runtime
from windlass.envtest.workloads.trainingoperator import PyTorchJob, TrainingOperator
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table
from windlass.operators.training.executors.pytorchjob import PYTORCHJOB
from windlass.operators.training.executors.rayjob import RAYJOB
from windlass.operators.training.executors.trainjob import TRAINJOB
from windlass.operators.training.executors.uptake import PATIENCE
from windlass.statemachine.conditions import Conditions

TRAINER = Path(__file__).parents[3] / "docs" / "examples" / "own-trainer" / "train.py"
TRAIN = [sys.executable, "-P", str(TRAINER)]
EXECUTORS = {one.name: one for one in (TRAINJOB, PYTORCHJOB, RAYJOB)}
KINDS = {"trainjob": TrainJob, "pytorchjob": PyTorchJob, "rayjob": RayJob}
# A job that nobody takes up for so long says so; here it may say so at once.
AHEAD = PATIENCE + timedelta(seconds=1)


SCRIPT = {f"{executor}-unheard": Behaviour(silent=True) for executor in KINDS} | {
    "trainjob-refused": Behaviour(refuses="TrainingRuntimeNotSupported"),
    "rayjob-refused": Behaviour(refuses="ValidationFailed"),
    "trainjob-told": Behaviour(lag_seconds=1.0),
    "pytorchjob-told": Behaviour(forgets=True),
    "rayjob-told": Behaviour(vanishes=True),
}


def clock():
    return datetime.now(UTC) + AHEAD


class Yard:
    """A cluster whose Pods run, and a controller with its folder."""

    def __init__(self, path, api, cluster, *, kubelet, learn_kinds):
        self.path, self.api, self.cluster, self.kubelet, self.learn_kinds = path, api, cluster, kubelet, learn_kinds
        self.controllers = []
        self.settings = TrainingSettings(
            path / "state",
            path / "models",
            progress_seconds=0.05,
            executors=ExecutorRegistry(discover=lambda: ()),
            clock=clock,
        )

    @contextlib.asynccontextmanager
    async def stand_ins(self):
        """Kubeflow Trainer, the Training Operator and KubeRay come to the cluster, with their kinds."""
        async with contextlib.AsyncExitStack() as stack:
            for controller in (Trainer, TrainingOperator, KubeRay):
                standing_in = controller(self.cluster, SCRIPT)
                self.controllers.append(await stack.enter_async_context(standing_in))
            await self.api.create(ClusterTrainingRuntime, torch_runtime())
            await self.learn_kinds()
            yield

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster)
        setup(manager, self.settings)
        async with manager:
            yield

    async def apply(self, executor, fate, command, **spec):
        body = {
            "apiVersion": "ai.windlass.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": f"{executor}-{fate}", "namespace": "default"},
            "spec": {
                "data": {"uri": (self.path / "digits").as_uri(), "version": 0},
                "executor": executor,
                "output": {"model": f"{executor}-{fate}"},
                "seed": 7,
                "retries": {"limit": 3, "base": "0s"},
                "workload": {"image": "example.com/trainer:1", "command": command},
                **spec,
            },
        }
        await self.api.create(TrainingJob, body)
        return f"{executor}-{fate}"

    async def steer(self, name, **spec):
        await self.api.patch(TrainingJob, Key("default", name), {"spec": spec})

    async def until(self, name, met):
        """The job's status once `met` says yes to it."""
        while True:
            found = (await self.api.get(TrainingJob, Key("default", name))).as_(TrainingJob)
            if met(found.status):
                return found.status
            await asyncio.sleep(0.2)

    async def ended(self, name):
        return await self.until(name, lambda status: status.phase in ("Succeeded", "Failed", "Cancelled"))

    async def children(self, executor, name):
        """The names of a job's objects that are not on their way out."""
        found = (await self.api.list(KINDS[executor], namespace="default")).items
        return [one.name for one in found if one.deletion is None and one.name.startswith(name)]

    async def pods(self, name, *, running=True):
        """The Pods of a job at work, those that run a command."""
        return [
            pod
            for pod in await self.kubelet.pods()
            if pod["metadata"]["annotations"]["ai.windlass.dev/training-job"] == name
            and pod["spec"]["containers"][0].get("command")
            and (pod["status"].get("phase") == "Running" or not running)
        ]

    async def suspend(self, executor, status, *, suspended):
        """What Kueue does to an object."""
        await self.patch(executor, status, EXECUTORS[executor].suspension(suspended=suspended)["spec"])

    async def patch(self, executor, status, spec):
        """What anybody may do to an attempt's object."""
        await self.api.patch(KINDS[executor], Key("default", status.attempts[-1].child.name), {"spec": spec})

    async def saved(self, run, step):
        """Return when the run has the checkpoint of a step."""
        manifest = self.settings.runs / run.id / "checkpoints" / f"{step:010d}" / "manifest.json"
        while not manifest.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    async def evict(self, name):
        """The Pod of the attempt that is at work goes with its node."""
        while not (pods := await self.pods(name)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await self.kubelet.annotate(pods[0]["metadata"]["name"], **{"tests.windlass.dev/fate": "evicted"})


async def restart_controller_manager(plane):
    """It learns at its start, and else every 30 s, of kinds whose objects it has to collect."""
    deadline = asyncio.get_running_loop().time() + 60
    await plane._children["kube-controller-manager"].stop(10)
    await plane._start_controller_manager(plane._running_place(), deadline)


@contextlib.asynccontextmanager
async def yard(path, kind):
    """On a real control plane, its own scheduler works; the player is only the kubelet."""
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

        async def learn_kinds():
            if real:
                await restart_controller_manager(server)

        yield Yard(path, api, cluster, kubelet=kubelet, learn_kinds=learn_kinds)


async def is_resumed(place, executor, installed):
    """Applied before its kind is installed; then suspended, resumed, evicted, and in the end published (A7 to A12).

    The trainer commits a checkpoint and sleeps: its first Pod gets to step 1, its second to 2, and its third ends.
    """
    name = await place.apply(executor, "whole", TRAIN, hyperparameters={"epochs": 2, "pauseSeconds": 600})
    missing = await place.until(name, lambda status: "KindNotInstalled" in reasons(status))
    assert missing.runs == 0
    installed.count_down()
    run = (await place.until(name, lambda status: status.run is not None)).run
    await place.saved(run, 1)
    await place.steer(name, suspend=True)
    suspended = await place.until(name, lambda status: status.phase == "Suspended")
    assert (await place.pods(name), suspended.run.failures) == ([], 0)
    await place.steer(name, suspend=False)
    await place.saved(run, 2)
    await place.evict(name)
    status = await place.ended(name)

    assert status.phase == "Succeeded", status
    assert (place.path / "models" / name / "1" / "model.onnx").exists()
    assert (status.attempts[-1].child.kind, status.run.failures, status.runs) == (KINDS[executor].kind, 0, 1)
    assert status.attempts[-1].resumed_from_step == 2
    told = [one for one in place.kubelet.started if one["WINDLASS_RUN_ID"] == run.id]
    assert [one["RESUME_FROM_STEP"] for one in told] == ["0", "0", "2"]
    assert len({one["WANDB_RUN_ID"] for one in told}) == 1


async def fails_for_good(place, executor):
    name = await place.apply(executor, "broken", ["sh", "-c", "exit 3"])
    status = await place.ended(name)

    assert (status.phase, status.run.attempt) == ("Failed", 1)
    assert "exit code 3" in Conditions.of(status.conditions).get("Trained").message


async def is_cancelled(place, executor):
    name = await place.apply(executor, "endless", ["sleep", "600"])
    while not await place.pods(name):  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    await place.steer(name, cancel=True)
    status = await place.ended(name)

    assert status.phase == "Cancelled"
    assert await place.pods(name) == []
    assert await place.children(executor, name) == []


async def is_not_taken_up_then_queued(place, executor):
    """Nobody follows the object for a while; then a queue holds it back, and nobody but the queue lets it go on."""
    name = await place.apply(executor, "unheard", ["sh", "-c", "exit 3"])
    status = await place.until(name, lambda status: status.run is not None and "no controller" in status.run.waiting)
    assert (status.phase, status.run.attempt) == ("Running", 1)
    await place.suspend(executor, status, suspended=True)
    for controller in place.controllers:
        controller.change(name, Behaviour())
    status = await place.until(name, lambda status: status.run.waiting == "it is suspended")
    assert (status.phase, await place.pods(name)) == ("Running", [])
    await place.suspend(executor, status, suspended=False)
    status = await place.ended(name)

    assert (status.phase, status.run.attempt, status.run.waiting) == ("Failed", 1, "")


async def is_too_slow(place, executor):
    """Somebody else's deadline on our object."""
    name = await place.apply(executor, "slow", ["sleep", "600"])
    status = await place.until(name, lambda status: status.attempts and status.attempts[-1].child)
    deadline = {"activeDeadlineSeconds": 1}
    spec = {"runPolicy": deadline} if executor == "pytorchjob" else deadline
    await place.patch(executor, status, spec)
    status = await place.ended(name)

    assert (status.phase, status.run.attempt) == ("Failed", 1)
    assert Conditions.of(status.conditions).get("Trained").reason == "DeadlineExceeded"


async def is_refused(place, executor):
    """Not so a PyTorchJob, whose operator has one reason for every failure."""
    name = await place.apply(executor, "refused", ["sleep", "600"])
    status = await place.ended(name)

    assert (status.phase, status.run.attempt) == ("Failed", 1)
    assert Conditions.of(status.conditions).get("Trained").reason == SCRIPT[name].refuses


async def is_badly_told(place, executor):
    """The object's end comes late, is lost, or goes with the object: what the trainer has written counts."""
    name = await place.apply(executor, "told", TRAIN, hyperparameters={"epochs": 2})
    status = await place.ended(name)

    assert (status.phase, status.run.attempt) == ("Succeeded", 1), status


def reasons(status):
    return {one.reason for one in status.conditions}


SCENES = (fails_for_good, is_cancelled, is_not_taken_up_then_queued, is_too_slow, is_badly_told)


class Latch:
    """Opens when as many have counted down as were to."""

    def __init__(self, count):
        self.count, self.open = count, asyncio.Event()

    def count_down(self):
        self.count -= 1
        if self.count == 0:
            self.open.set()


@pytest.mark.realtime(limit=240)
@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_jobs_of_other_controllers_train_and_are_resumed_failed_cancelled_and_waited_for(tmp_path, kind):
    async with yard(tmp_path, kind) as place, place.controller(), asyncio.TaskGroup() as group:
        latch = Latch(len(KINDS))
        resumed = [group.create_task(is_resumed(place, executor, latch), name=executor) for executor in KINDS]
        await latch.open.wait()
        async with place.stand_ins():
            async with asyncio.TaskGroup() as scenes:
                for executor in KINDS:
                    for scene in SCENES:
                        scenes.create_task(scene(place, executor), name=f"{executor} {scene.__name__}")
                for executor in ("trainjob", "rayjob"):
                    scenes.create_task(is_refused(place, executor), name=f"{executor} is refused")
            await asyncio.gather(*resumed)
