"""A trainer of one's own as a process of the controller, from job to model; and no process where none may be."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import attrs
import pytest
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.informers import Api, Client, Cluster, Key
from windlass.informers.errors import NotFound
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table
from windlass.operators.training.sessions import end_session
from windlass.statemachine.conditions import Conditions

pytestmark = pytest.mark.realtime(limit=120)
TRAINER = Path(__file__).parents[3] / "docs" / "examples" / "own-trainer" / "train.py"
KEY = Key("default", "own")
SERVERS = ["embedded", "kubernetes"]


class Shop:
    """A server, and controllers after each other."""

    def __init__(self, path, api, cluster):
        self.path, self.api, self.cluster = path, api, cluster
        self.settings = TrainingSettings(
            path / "state", path / "models", progress_seconds=0.05, executors=ExecutorRegistry(discover=lambda: ())
        )

    @contextlib.asynccontextmanager
    async def controller(self, *, allowed):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster)
        setup(manager, attrs.evolve(self.settings, allow_processes=allowed))
        async with manager:
            yield manager

    async def apply(self, command, **hyperparameters):
        spec = {
            "data": {"uri": (self.path / "digits").as_uri(), "version": 0},
            "executor": "process",
            "output": {"model": "own"},
            "hyperparameters": hyperparameters,
            "workload": {"command": command},
            "retries": {"base": "0s"},
        }
        body = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": KEY.name}}
        await self.api.create(TrainingJob, body | {"spec": spec}, namespace=KEY.namespace)

    async def until(self, condition):
        end = asyncio.get_running_loop().time() + 60
        while not condition(status := (await self.api.get(TrainingJob, KEY)).as_(TrainingJob).status):
            assert asyncio.get_running_loop().time() < end, status
            await asyncio.sleep(0.02)
        return status

    async def ended(self):
        return await self.until(lambda status: status.phase in ("Succeeded", "Failed"))

    async def delete(self):
        """The next job of this name on a shared server is another test's."""
        await self.api.delete(TrainingJob, KEY)
        with contextlib.suppress(NotFound):
            await self.until(lambda status: False)


@contextlib.asynccontextmanager
async def shop(path, kind):
    await asyncio.to_thread(write_sample_table, path / "digits")
    async with open_server(kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            yield Shop(path, api, cluster)


def keepers(run):
    """The processes of a run."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdecimal() and run in (Path("/proc") / entry / "cmdline").read_text():
                found.append(int(entry))
    return found


@pytest.mark.parametrize("server", SERVERS)
async def test_a_controller_whose_owner_has_not_allowed_it_runs_no_command_of_a_resource(tmp_path, server):
    async with shop(tmp_path, server) as place, place.controller(allowed=False):
        await place.apply(["touch", str(tmp_path / "started")])

        status = await place.ended()

        assert (status.phase, Conditions.of(status.conditions).get("Succeeded").reason) == (
            "Failed",
            "ExecutorNotAllowed",
        )
        assert (status.run, (tmp_path / "started").exists(), (tmp_path / "state").exists()) == (None, False, False)
        await place.delete()


@pytest.mark.parametrize("server", SERVERS)
async def test_a_trainer_of_ones_own_is_killed_restarted_with_the_controller_and_published(tmp_path, server):
    """A8: each time it goes on from its checkpoint. A9: being killed counts, going with the controller does not."""
    async with shop(tmp_path, server) as place:
        async with place.controller(allowed=True):
            await place.apply([sys.executable, "-P", str(TRAINER)], epochs=30, pauseSeconds=0.1)
            status = await place.until(lambda status: status.progress is not None and status.progress.step >= 2)
            end_session(keepers(status.run.id)[0])
            status = await place.until(
                lambda status: status.run.attempt == 2 and status.progress.step > status.run.resumed_from_step + 1
            )
            assert status.run.resumed_from_step >= 2
        assert keepers(status.run.id) == [], "an orderly stop leaves no trainer"

        async with place.controller(allowed=True):
            status = await place.ended()

        assert (status.phase, status.run.attempt, status.run.failures) == ("Succeeded", 3, 1)
        assert status.validation.accuracy > 0.7
        assert (tmp_path / "models" / "own" / "1" / "model.onnx").exists()
        async with place.controller(allowed=True):
            await place.delete()


async def test_a_command_that_fails_is_quoted(tmp_path):
    async with shop(tmp_path, "embedded") as place, place.controller(allowed=True):
        await place.apply(["sh", "-c", "echo the disk is full >&2; exit 3"])

        status = await place.ended()

        told = Conditions.of(status.conditions).get("Succeeded")
        assert (told.reason, told.message) == ("TrainerFailed", "the command ended with exit code 3: the disk is full")
