"""Trainings as TrainJobs, PyTorchJobs and RayJobs, under the stand-ins of their controllers, on two servers.

Their Pods' commands run as processes of this machine. One scene a training; the scenes of a server run side by side.
"""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from cluster_house import TRAIN, ClusterHouse, premises

from windlass.envtest.workloads.jobkinds import Behaviour
from windlass.envtest.workloads.ray import KubeRay, RayJob
from windlass.envtest.workloads.trainer import ClusterTrainingRuntime, Trainer, TrainJob, torch_runtime
from windlass.envtest.workloads.trainingoperator import PyTorchJob, TrainingOperator
from windlass.informers import Key
from windlass.operators.training.executors.pytorchjob import PYTORCHJOB
from windlass.operators.training.executors.rayjob import RAYJOB
from windlass.operators.training.executors.trainjob import TRAINJOB
from windlass.operators.training.executors.uptake import PATIENCE
from windlass.statemachine.conditions import Conditions

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


class Yard(ClusterHouse):
    """A cluster to which the controllers of others come."""

    def __init__(self, on):
        super().__init__(on, clock=clock)
        self.controllers = []

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

    async def apply(self, executor, fate, command, **spec):
        given = {
            "executor": executor,
            "seed": 7,
            "retries": {"limit": 3, "base": "0s"},
            "workload": {"image": "example.com/trainer:1", "command": command},
        }
        await self.create(f"{executor}-{fate}", **given | spec)
        return f"{executor}-{fate}"

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

    async def evict(self, name):
        """The Pod of the attempt that is at work goes with its node."""
        while not (pods := await self.pods(name)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await self.kubelet.annotate(pods[0]["metadata"]["name"], **{"tests.windlass.dev/fate": "evicted"})


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
    async with premises(tmp_path, kind) as found:
        place = Yard(found)
        async with place.controller(), asyncio.TaskGroup() as group:
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
