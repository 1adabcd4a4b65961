"""Trainings whose work is a Job, on the embedded server and on a real control plane with its own Job controller."""

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
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table

pytestmark = pytest.mark.realtime(limit=180)
TRAINER = Path(__file__).parents[3] / "docs" / "examples" / "own-trainer" / "train.py"
TRAIN = [sys.executable, "-P", str(TRAINER)]


class Yard:
    """A cluster whose Pods run, and a controller with its folder."""

    def __init__(self, path, api, cluster, kubelet):
        self.path, self.api, self.cluster, self.kubelet = path, api, cluster, kubelet
        self.settings = TrainingSettings(
            path / "state", path / "models", progress_seconds=0.05, executors=ExecutorRegistry(discover=lambda: ())
        )

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster)
        setup(manager, self.settings)
        async with manager:
            yield manager

    async def apply(self, name, command, **spec):
        body = {
            "apiVersion": "ai.windlass.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "data": {"uri": (self.path / "digits").as_uri(), "version": 0},
                "executor": "kubernetes-job",
                "output": {"model": name},
                "seed": 7,
                "hyperparameters": {"epochs": 5},
                "workload": {"image": "example.com/trainer:1", "command": command},
            },
        }
        body["spec"] |= spec
        await self.api.create(TrainingJob, body)

    async def job(self, name):
        return (await self.api.get(TrainingJob, Key("default", name))).as_(TrainingJob)

    async def until(self, name, condition, *, seconds=90.0):
        async with asyncio.timeout(seconds):
            while not condition((job := await self.job(name)).status):  # noqa: ASYNC110  # as a user would
                await asyncio.sleep(0.05)
        return job.status

    async def ended(self, name):
        return await self.until(name, lambda status: status.phase in ("Succeeded", "Failed"))

    async def pod(self, attempt, *, of):
        """The Pod of an attempt, once it runs."""
        run = (await self.job(of)).status.run
        async with asyncio.timeout(30):
            while True:
                for pod in await self.kubelet.pods():
                    labels = pod["metadata"]["labels"]
                    mine = (labels["ai.windlass.dev/run"], labels["ai.windlass.dev/attempt"]) == (run.id, str(attempt))
                    if mine and pod["status"].get("phase") == "Running":
                        return pod["metadata"]
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def yard(path, kind):
    """On a real control plane, its own controllers and scheduler work; the player is only the kubelet."""
    await asyncio.to_thread(write_sample_table, path / "digits")
    async with contextlib.AsyncExitStack() as stack:
        real = kind == "kubernetes"
        plane = ControlPlane(control_plane_binaries(), scheduler=True) if real else open_server(kind)
        server = await stack.enter_async_context(plane)
        cluster = Cluster.from_dict(server.kubeconfig())
        client = await stack.enter_async_context(Client(cluster))
        api = Api(client)
        await install(api, [TrainingJob])
        await stack.enter_async_context(Workloads(cluster, stages=STAGES, controllers=not real))
        kubelet = await stack.enter_async_context(Kubelet(api))
        yield Yard(path, api, cluster, kubelet)


@pytest.mark.parametrize("server", ["embedded", "kubernetes"])
async def test_a_training_in_a_job_is_published_like_any_other(tmp_path, server):
    async with yard(tmp_path, server) as place, place.controller():
        await place.apply("digits", TRAIN)

        status = await place.ended("digits")

        assert status.phase == "Succeeded", status
        assert status.run.child.kind == "Job"
        assert (tmp_path / "models" / "digits" / "1" / "model.onnx").exists()
