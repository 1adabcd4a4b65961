"""TrainingJobs that name a LocalQueue, under the stand-in of Kueue and that of Kubeflow Trainer, on two servers.

Their Pods' commands run as processes of this machine. The built-in queue has one place, as Kueue has quota for one Pod.
"""

import asyncio
import contextlib

import pytest
from cluster_house import TRAIN, ClusterHouse, premises

from windlass.envtest.workloads.kueue import ClusterQueue, Kueue, LocalQueue, cluster_queue, local_queue
from windlass.envtest.workloads.trainer import ClusterTrainingRuntime, Trainer, TrainJob, torch_runtime
from windlass.informers import Key
from windlass.statemachine.conditions import Conditions

# The trainer commits a checkpoint an epoch and sleeps: each Pod gets one step further.
SLOW = {"epochs": 2, "pauseSeconds": 600}


class House(ClusterHouse):
    """A cluster with Kubeflow Trainer, without Kueue."""

    async def apply(self, name, command, **hyperparameters):
        labels = {"kueue.x-k8s.io/queue-name": "team"}
        await self.create(
            name,
            executor="trainjob",
            queue="small",
            workload={"image": "example.com/trainer:1", "command": command, "labels": labels},
            hyperparameters=hyperparameters,
        )

    async def stop(self, policy):
        await self.api.patch(ClusterQueue, Key("", "machines"), {"spec": {"stopPolicy": policy}})

    async def waits(self, name, why):
        return await self.until(name, lambda status: status.run is not None and why in status.run.waiting)

    async def pods(self):
        """The names of the jobs that have Pods which are not at their end."""
        found = [pod for pod in await self.kubelet.pods() if pod["status"].get("phase") in (None, "Pending", "Running")]
        return sorted({pod["metadata"]["annotations"]["ai.windlass.dev/training-job"] for pod in found})

    async def objects(self, name):
        found = (await self.api.list(TrainJob, namespace="default")).items
        return [one for one in found if one.annotations["ai.windlass.dev/training-job"] == name]

    def resumed_from(self, name):
        return [one["RESUME_FROM_STEP"] for one in self.kubelet.started_for(name)]


@contextlib.asynccontextmanager
async def house(path, kind):
    async with premises(path, kind) as found, Trainer(found.cluster):
        await found.api.create(ClusterTrainingRuntime, torch_runtime())
        await found.learn_kinds()
        yield House(found, queues={"small": 1})


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
