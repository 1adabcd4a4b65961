"""Trainings whose work is a Job, on the embedded server and on a real control plane with its own Job controller."""

import asyncio
import contextlib

import pytest
from accounts import restricted
from cluster_house import TRAIN, ClusterHouse, premises
from kubelet import FATE

from windlass.informers import Cluster, Job, Key, Pod
from windlass.informers.errors import NotFound
from windlass.operators.training import TrainingJob
from windlass.operators.training.executors.dressing import JOB_ANNOTATION, RUN_LABEL
from windlass.operators.training.identity import child_name, run_id
from windlass.statemachine.conditions import Conditions

pytestmark = pytest.mark.realtime(limit=180)
SLOW = {"epochs": 16, "pauseSeconds": 0.25}


def foreign_job(name):
    container = {"name": "main", "image": "example.com/a:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"parallelism": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


def _has_a_child(status):
    return status.attempts and status.attempts[-1].child


class Yard(ClusterHouse):
    """A cluster, and a controller with the least rights that the operator says it needs, where rights are asked for."""

    def __init__(self, on):
        super().__init__(on)
        self.kubeconfig, self.real = on.kubeconfig, on.real

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = self.manager(self.cluster)
        if self.real:
            config = await restricted(self.api, self.kubeconfig, manager, "default")
            manager = self.manager(Cluster.from_dict(config))
        async with manager:
            yield

    async def apply(self, name, command, *, nodes=None, **spec):
        workload = {"image": "example.com/trainer:1", "command": command}
        given = {
            "executor": "kubernetes-job",
            "seed": 7,
            "hyperparameters": {"epochs": 5},
            "workload": workload if nodes is None else workload | {"nodes": nodes},
        }
        await self.create(name, **given | spec)

    async def pods_of(self, name):
        pods = await self.kubelet.pods()
        return [one["metadata"]["name"] for one in pods if one["metadata"]["annotations"][JOB_ANNOTATION] == name]

    async def child(self, name):
        """The Job on record."""
        return (await self.until(name, _has_a_child)).attempts[-1].child

    async def at_step(self, name, step):
        """The name of the Pod that trains, once it has come so far."""
        status = await self.until(name, _has_a_child)
        await self.saved(status.run, step)
        return (await self.pods_of(name))[0]


# Each is a way that a training in a Job can go; what is returned must be the same on every server.


async def undisturbed(place):
    await place.apply("undisturbed", TRAIN)
    status = await place.ended("undisturbed")
    told = place.kubelet.started_for("undisturbed")
    return (*summary(status), told[0]["RESUME_FROM_STEP"], told[0]["WANDB_RESUME"], status.model.version)


async def fails(place):
    await place.apply("fails", ["sh", "-c", "exit 3"])
    return summary(await place.ended("fails"))


async def is_killed(place):
    await place.apply("is-killed", ["sh", "-c", "kill -9 $$"], retries={"limit": 1, "base": "0s"})
    return summary(await place.ended("is-killed"))


async def is_evicted(place):
    """The node was short of memory: the next attempt goes on where this one was, and nothing is counted."""
    await place.apply("is-evicted", TRAIN, hyperparameters=SLOW, retries={"base": "0s"})
    pod = await place.at_step("is-evicted", 4)
    await place.kubelet.annotate(pod, **{FATE: "evicted"})
    status = await place.ended("is-evicted")
    first, second = place.kubelet.started_for("is-evicted")
    assert int(second["RESUME_FROM_STEP"]) == status.run.resumed_from_step >= 4
    assert first["WANDB_RUN_ID"] == second["WANDB_RUN_ID"]
    assert first["WINDLASS_ATTEMPT"] != second["WINDLASS_ATTEMPT"]
    return summary(status)


async def loses_its_pod(place):
    """The Job makes another one, in the same attempt; the trainer goes on from its checkpoint by itself."""
    await place.apply("loses-its-pod", TRAIN, hyperparameters=SLOW)
    pod = await place.at_step("loses-its-pod", 4)
    await place.api.delete(Pod, Key("default", pod))
    status = await place.ended("loses-its-pod")
    assert len(place.kubelet.started_for("loses-its-pod")) == 2
    return summary(status)


async def loses_its_job(place):
    await place.apply("loses-its-job", TRAIN, hyperparameters=SLOW)
    await place.at_step("loses-its-job", 4)
    child = await place.child("loses-its-job")
    await place.api.delete(Job, Key("default", child.name), propagation="Background")
    status = await place.ended("loses-its-job")
    assert status.run.resumed_from_step >= 4
    return summary(status)


async def meets_a_namesake(place):
    """G2: what has the name and is not ours is never adopted, and never touched."""
    await place.apply("meets-a-namesake", TRAIN, suspend=True)
    await place.until("meets-a-namesake", lambda status: status.phase == "Suspended")
    job = await place.job("meets-a-namesake")
    name = child_name("meets-a-namesake", run_id(job.metadata.uid, 1), 1)
    made = await place.api.create(Job, foreign_job(name))
    await place.steer("meets-a-namesake", suspend=False)
    status = await place.ended("meets-a-namesake")
    assert (await place.api.get(Job, Key("default", name))).uid == made.uid
    return summary(status)


async def is_suspended(place):
    """A12: no Pods while it is suspended."""
    await place.apply("is-suspended", TRAIN, hyperparameters=SLOW)
    await place.at_step("is-suspended", 4)
    await place.steer("is-suspended", suspend=True)
    status = await place.until("is-suspended", lambda status: status.phase == "Suspended")
    assert await place.pods_of("is-suspended") == []
    await place.steer("is-suspended", suspend=False)
    status = await place.ended("is-suspended")
    # Where Jobs cannot be suspended, before 1.21, another attempt goes on.
    assert status.run.attempt == (2 if place.real else 1)
    return (*summary(status)[:2], status.run.failures)


async def loses_an_index(place):
    """The others end with it: nobody trains on without a part."""
    command = ["sh", "-c", 'test "$JOB_COMPLETION_INDEX" = 0 && sleep 600; exit 4']
    await place.apply("loses-an-index", command, nodes=2)
    status = await place.ended("loses-an-index")
    return summary(status)


async def is_too_slow(place):
    """Somebody else's deadline on our Job."""
    await place.apply("is-too-slow", ["sleep", "600"])
    child = await place.child("is-too-slow")
    await place.api.patch(Job, Key("default", child.name), {"spec": {"activeDeadlineSeconds": 1}})
    return summary(await place.ended("is-too-slow"))


async def is_deleted(place):
    await place.apply("is-deleted", ["sleep", "600"])
    name = (await place.child("is-deleted")).name
    await place.api.delete(TrainingJob, Key("default", "is-deleted"))
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NotFound):
                await place.job("is-deleted")
                await asyncio.sleep(0.05)
                continue
            break
    with pytest.raises(NotFound):
        await place.api.get(Job, Key("default", name))
    return "gone"


WAYS = {
    undisturbed: ("Succeeded", "Succeeded", 1, 0, "0", "allow", 1),
    fails: ("Failed", "TrainerFailed", 1, 0),
    is_killed: ("Failed", "TrainerFailed", 2, 1),
    is_evicted: ("Succeeded", "Succeeded", 2, 0),
    loses_its_pod: ("Succeeded", "Succeeded", 1, 0),
    loses_its_job: ("Succeeded", "Succeeded", 2, 0),
    meets_a_namesake: ("Failed", "NameConflict", 1, 0),
    is_suspended: ("Succeeded", "Succeeded", 0),
    loses_an_index: ("Failed", "TrainerFailed", 1, 0),
    is_too_slow: ("Failed", "DeadlineExceeded", 1, 0),
    is_deleted: "gone",
}


def summary(status):
    succeeded = Conditions.of(status.conditions).get("Succeeded")
    return status.phase, succeeded.reason, status.run.attempt, status.run.failures


@pytest.mark.parametrize("server", ["embedded", "kubernetes"])
async def test_every_way_of_a_training_in_a_job_ends_the_same_on_every_server(tmp_path, server):
    """A8 to A12, G2, G6. All at once, since most of the time is spent in waiting."""
    async with premises(tmp_path, server) as found, (place := Yard(found)).controller():
        async with asyncio.TaskGroup() as group:
            tasks = {way: group.create_task(way(place), name=way.__name__) for way in WAYS}

        assert {way.__name__: task.result() for way, task in tasks.items()} == {
            way.__name__: expected for way, expected in WAYS.items()
        }
        # Each attempt had one Job, and each is that of the last attempt or gone (A8, A10).
        jobs = [one.to_dict() for one in (await place.api.list(Job, namespace="default", labels=RUN_LABEL)).items]
        runs = [one["metadata"]["labels"][RUN_LABEL] for one in jobs]
        assert sorted(set(runs)) == sorted(runs)
