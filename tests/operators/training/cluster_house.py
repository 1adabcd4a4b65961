"""A cluster whose Pods run as processes of this machine, and the folder of a controller that trains on it."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
from kubelet import STAGES, Kubelet
from servers import control_plane_binaries, open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.envtest.controlplane import ControlPlane
from windlass.envtest.workloads import Workloads
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table

__all__ = ("TRAIN", "ClusterHouse", "Premises", "premises")

TRAINER = Path(__file__).parents[3] / "docs" / "examples" / "own-trainer" / "train.py"
TRAIN = [sys.executable, "-P", str(TRAINER)]
WAIT_SECONDS = 150.0  # less than the limit of any test, so that it says what was waited for


@attrs.frozen
class Premises:
    """What a house stands on; `real` is a server that has its own controllers, and a word in who may do what.

    `learn_kinds` is awaited when kinds have been installed whose objects are collected.
    """

    path: Path
    api: Api
    cluster: Cluster
    kubeconfig: dict
    real: bool
    kubelet: Kubelet
    learn_kinds: Callable[[], Awaitable[None]]


class ClusterHouse:
    """What the tests of every kind of job do to TrainingJobs of the namespace `default`; `given` are settings."""

    def __init__(self, on, **given):
        self.path, self.api, self.cluster, self.kubelet = on.path, on.api, on.cluster, on.kubelet
        self.learn_kinds = on.learn_kinds
        self.settings = TrainingSettings(
            on.path / "state",
            on.path / "models",
            progress_seconds=0.05,
            executors=ExecutorRegistry(discover=lambda: ()),
            **given,
        )

    def manager(self, cluster):
        made = Manager(kinds=[TrainingJob], cluster=cluster)
        setup(made, self.settings)
        return made

    @contextlib.asynccontextmanager
    async def controller(self):
        async with self.manager(self.cluster):
            yield

    async def create(self, name, **spec):
        """A job on the sample table, whose model has the job's name."""
        body = {
            "apiVersion": "ai.windlass.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "data": {"uri": (self.path / "digits").as_uri(), "version": 0},
                "output": {"model": name},
                **spec,
            },
        }
        await self.api.create(TrainingJob, body)

    async def steer(self, name, **spec):
        await self.api.patch(TrainingJob, Key("default", name), {"spec": spec})

    async def job(self, name):
        return (await self.api.get(TrainingJob, Key("default", name))).as_(TrainingJob)

    async def until(self, name, met):
        """The job's status once `met` says yes to it."""
        status = None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not met(status := (await self.job(name)).status):  # noqa: ASYNC110  # it is asked as a user would
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{name}: not reached in {WAIT_SECONDS} s: {status}") from None
        return status

    async def ended(self, name):
        return await self.until(name, lambda status: status.phase in ("Succeeded", "Failed", "Cancelled"))

    async def saved(self, run, step):
        """Return when the run has the checkpoint of a step."""
        manifest = self.settings.runs / run.id / "checkpoints" / f"{step:010d}" / "manifest.json"
        while not manifest.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def premises(path, kind):
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

        yield Premises(path, api, cluster, server.kubeconfig(), real, kubelet, learn_kinds)


async def restart_controller_manager(plane):
    """It learns at its start, and else every 30 s, of kinds whose objects it has to collect."""
    deadline = asyncio.get_running_loop().time() + 60
    await plane._children["kube-controller-manager"].stop(10)
    await plane._start_controller_manager(plane._running_place(), deadline)
