"""A job on the embedded API server, from its creation to a model that the endpoint finds, and how else it can end."""

import asyncio
import contextlib
import copy
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from seeds import announced_seed
from servers import EVERY_SERVER, Server, open_server

from windlass.controller import ExecutorRegistry, Manager, Settings
from windlass.informers.api import Api
from windlass.informers.builtins import Event
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, sample_job, setup, write_sample_table
from windlass.operators.training.identity import run_id
from windlass.serving.repository.scan import scan
from windlass.statemachine.conditions import Conditions

pytestmark = pytest.mark.realtime
KEY = Key("default", "digits")
TOLD = ["DataVerified", "Published", "Succeeded", "Trained", "TrainingStarted", "Validated", "VerifyingData"]


class House:
    """A server, and as many controllers after each other as a test needs."""

    def __init__(self, path: Path, server: Server, api: Api, cluster: Cluster) -> None:
        self.path, self.server, self.api, self.cluster = path, server, api, cluster
        self.settings = TrainingSettings(
            path / "state", path / "models", progress_seconds=0.05, executors=ExecutorRegistry(discover=lambda: ())
        )

    @contextlib.asynccontextmanager
    async def controller(self, *, name="windlass", state="state"):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster, settings=Settings(field_manager=name))
        registry = ExecutorRegistry(discover=lambda: ())
        setup(manager, attrs.evolve(self.settings, state=self.path / state, executors=registry))
        async with manager:
            yield manager

    def job(self, **spec):
        made = copy.deepcopy(sample_job((self.path / "digits").as_uri()))
        made["spec"]["hyperparameters"] = {"epochs": 10}
        made["spec"]["retries"] = {"base": "0s"}
        made["spec"] |= spec
        return made

    async def apply(self, name="digits", **spec):
        made = self.job(**spec)
        made["metadata"]["name"] = name
        await self.api.create(TrainingJob, made, namespace="default")

    async def statuses(self):
        """Those of all jobs at one moment, by name."""
        return {one.name: one.as_(TrainingJob).status for one in (await self.api.list(TrainingJob)).items}

    async def phases(self):
        return {name: status.phase for name, status in (await self.statuses()).items()}

    async def all_in(self, *, phase, names):
        """Wait until these jobs are in the phase and have said why."""
        while True:
            found = await self.statuses()
            told = {name for name in found if reason_of(found[name], "Trained") not in ("", "Waiting")}
            if all(name in told and found[name].phase == phase for name in names):
                return
            await asyncio.sleep(0.02)

    async def patch(self, **spec):
        await self.api.patch(TrainingJob, KEY, {"spec": spec})

    async def status(self):
        return (await self.api.get(TrainingJob, KEY)).as_(TrainingJob).status

    async def until(self, condition, *, seconds=40.0):
        async with asyncio.timeout(seconds):
            while not condition(await self.status()):  # noqa: ASYNC110  # the server is asked as a user would
                await asyncio.sleep(0.02)
        return await self.status()

    async def ended(self):
        return await self.until(lambda status: status.phase in ("Succeeded", "Failed"))

    async def delete(self):
        """Delete the job and wait until it is gone."""
        await self.api.delete(TrainingJob, KEY)
        await self.gone()

    async def clear(self):
        """Let the controller forget every job there is: what earlier tests left on a shared server holds places."""
        while jobs := (await self.api.list(TrainingJob)).items:
            for job in jobs:
                with contextlib.suppress(NotFound):
                    await self.api.delete(TrainingJob, job.key)
            await asyncio.sleep(0.02)

    async def gone(self):
        async with asyncio.timeout(20):
            with contextlib.suppress(NotFound):
                while True:
                    await self.status()
                    await asyncio.sleep(0.02)

    async def events(self, count):
        """The reasons of all Events about the job, once there are at least so many."""
        async with asyncio.timeout(10):
            while len(found := await self.told()) < count:  # noqa: ASYNC110  # likewise
                await asyncio.sleep(0.02)
        return sorted(found)

    async def told(self):
        # By uid, since other tests have had jobs of this name on the shared control plane.
        uid = (await self.api.get(TrainingJob, KEY)).uid
        events = [event.to_dict() for event in (await self.api.list(Event)).items]
        return [event["reason"] for event in events if event["involvedObject"].get("uid") == uid]


@contextlib.asynccontextmanager
async def house(path, kind="embedded"):
    write_sample_table(path / "digits")
    async with open_server(kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            yield House(path, server, api, cluster)


def reason_of(status, kind):
    found = Conditions.of(status.conditions).get(kind)
    return "" if found is None else found.reason


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server", EVERY_SERVER)
async def test_the_sample_job_trains_validates_and_publishes_a_model_that_the_endpoint_finds(tmp_path, server):
    async with house(tmp_path, server) as home, home.controller():
        await home.api.create(TrainingJob, sample_job((tmp_path / "digits").as_uri()), namespace="default")
        seen = []

        def look(status):
            seen.append((status.phase, status.progress and status.progress.epoch))
            return status.phase in ("Succeeded", "Failed")

        status = await home.until(look)

        assert status.phase == "Succeeded", status
        assert status.validation.accuracy >= 0.93
        assert (status.runs, status.run.attempt, status.model.version) == (1, 1, 1)
        assert [found.version for found in scan(tmp_path / "models")["digits"]] == [1]
        described = json.loads((tmp_path / "models" / "digits" / "1" / "model.json").read_text())
        assert (status.run.id, status.model.sha256) == (described["metadata"]["runId"], described["sha256"])
        assert [str(digit) for digit in range(10)] == described["labels"]
        assert await home.events(7) == TOLD
        assert len({epoch for phase, epoch in seen if phase == "Running" and epoch}) >= 5, "progress can be watched"
        await home.delete()  # the next job of this name on a shared server is another test's


@pytest.mark.parametrize(
    ("spec", "kind", "reason", "words"),
    [
        ({"executor": "nosuch"}, "Accepted", "ExecutorNotFound", "softmax"),
        ({"hyperparameters": {"learningRate": "fast"}}, "Accepted", "InvalidHyperparameters", "learningRate"),
        ({"data": {"uri": "/nosuch/table", "version": 0}}, "DataVerified", "TableNotFound", "/nosuch/table"),
        (
            {"hyperparameters": {"epochs": 200, "learningRate": 1e5, "l2": 1e3}},
            "Trained",
            "TrainingDiverged",
            "learningRate",
        ),
        (
            {"validation": {"holdout": 0.2, "minAccuracy": 1.0}},
            "Validated",
            "ValidationFailed",
            "at least 1 was asked for",
        ),
    ],
)
async def test_what_cannot_succeed_fails_with_its_own_reason_and_publishes_nothing(tmp_path, spec, kind, reason, words):
    async with house(tmp_path) as home, home.controller():
        await home.apply(**spec)

        status = await home.ended()

        assert ("Failed", reason) == (status.phase, reason_of(status, kind))
        assert words in Conditions.of(status.conditions).get("Succeeded").message
        assert status.model is None
        assert reason in await home.events(1)
        assert not (tmp_path / "models").exists()


async def test_an_absent_version_fails_with_the_newest_one_named(tmp_path):
    async with house(tmp_path) as home, home.controller():
        await home.apply(data={"uri": (tmp_path / "digits").as_uri(), "version": 5})

        status = await home.ended()

        assert reason_of(status, "DataVerified") == "DataVersionNotFound"
        assert "has no version 5, its newest is 0" in Conditions.of(status.conditions).get("Succeeded").message


async def test_a_deletion_while_training_ends_the_trainer_and_removes_the_run(tmp_path):
    async with house(tmp_path) as home, home.controller():
        await home.apply(hyperparameters={"epochs": 1_000_000})
        await home.until(lambda status: status.progress is not None)

        await home.delete()

        assert list((tmp_path / "state" / "runs").iterdir()) == []


async def test_a_changed_spec_while_training_is_a_new_run_and_the_old_one_ends(tmp_path):
    async with house(tmp_path) as home, home.controller():
        await home.apply(hyperparameters={"epochs": 1_000_000})
        status = await home.until(lambda status: status.progress is not None)
        old = status.run.id

        await home.api.patch(TrainingJob, KEY, {"spec": {"hyperparameters": {"epochs": 20}}})
        status = await home.until(lambda status: status.phase == "Succeeded")

        assert (status.runs, status.observed_generation, status.run.attempt) == (2, 2, 1)
        assert old != status.run.id
        assert [status.run.id] == [entry.name for entry in (tmp_path / "state" / "runs").iterdir()]
        assert status.model.version == 1


async def test_a_trainer_killed_by_someone_is_resumed_from_its_checkpoint(tmp_path):
    async with house(tmp_path) as home, home.controller():
        await home.apply(hyperparameters={"epochs": 300})
        status = await home.until(lambda status: status.progress is not None)

        os.kill(_trainers(status)[0], signal.SIGKILL)
        status = await home.ended()

        assert (status.phase, status.run.attempt, status.run.failures, status.runs) == ("Succeeded", 2, 1, 1)
        assert status.run.resumed_from_step > 0
        assert sorted([*TOLD, "TrainingResumed"]) == await home.events(8)


def _trainers(status):
    """The processes that work on the run."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdecimal() and status.run.id in _command(pid)]


def _command(pid):
    with contextlib.suppress(OSError):
        return (Path("/proc") / pid / "cmdline").read_text()
    return ""


async def test_an_orderly_stop_leaves_no_trainer_and_the_next_controller_goes_on(tmp_path):
    async with house(tmp_path) as home:
        async with home.controller():
            await home.apply(hyperparameters={"epochs": 300})
            status = await home.until(lambda status: status.progress is not None)
            epoch = status.progress.epoch
        assert not _trainers(status)

        async with home.controller():
            status = await home.ended()

        assert (status.phase, status.run.attempt, status.runs, status.run.failures) == ("Succeeded", 2, 1, 0)
        assert status.run.resumed_from_step >= epoch


@pytest.mark.parametrize("server", EVERY_SERVER[:2])
async def test_of_two_operators_on_one_cluster_one_trains_a_job_and_the_other_says_why_it_does_not(tmp_path, server):
    """A8: neither sees the folder, nor the locks, of the other."""
    async with (
        house(tmp_path, server) as home,
        home.controller(name="first", state="one"),
        home.controller(name="second", state="other"),
    ):
        await home.apply(hyperparameters={"epochs": 10})
        status = await home.ended()
        theirs = {"first": "one", "second": "other"}[status.operator]
        told = await home.events(len(TOLD) + 1)
        await home.delete()

    assert (status.phase, status.runs, status.run.attempt) == ("Succeeded", 1, 1)
    assert told == sorted([*TOLD, "WorkedElsewhere"])
    assert [name for name in ("one", "other") if (tmp_path / name / "runs").exists()] == [theirs]


@pytest.mark.parametrize("server", EVERY_SERVER[:2])
async def test_a_status_that_was_emptied_is_told_and_nothing_is_trained_until_the_job_is_made_anew(tmp_path, server):
    """G3, G4: and making it anew is a way out, as the words say."""
    async with house(tmp_path, server) as home, home.controller():
        await home.apply()
        before = await home.ended()
        await home.api.patch(TrainingJob, KEY, {"status": None}, type=PatchType.MERGE, subresource="status")

        status = await home.until(lambda status: reason_of(status, "StateCorrupt") == "StateCorrupt")
        assert Conditions.of(status.conditions).get("Stalled").status == "True"
        assert (status.run, status.runs, before.phase) == (None, 0, "Succeeded")
        assert [found.version for found in scan(tmp_path / "models")["digits"]] == [1]

        await home.delete()
        await home.apply()
        assert (await home.ended()).phase == "Succeeded"
        await home.delete()


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server", EVERY_SERVER[:2])
async def test_a_suspended_job_has_no_trainer_and_goes_on_from_its_checkpoint_until_it_is_cancelled(tmp_path, server):
    """A12, G3, G4: and a job that was cancelled begins anew with the next retry generation, not before."""
    async with house(tmp_path, server) as home, home.controller():
        await home.apply(hyperparameters={"epochs": 1_000_000})
        status = await home.until(lambda status: status.progress is not None)
        step = status.progress.step

        await home.patch(suspend=True)
        status = await home.until(lambda status: status.phase == "Suspended")
        assert (_trainers(status), status.run.attempt, status.run.failures) == ([], 1, 0)
        assert (status.observed_generation, status.life_generation) == (2, 1)

        await home.patch(suspend=False)
        status = await home.until(lambda status: status.phase == "Running" and status.run.attempt == 2)
        assert (status.runs, status.run.failures) == (1, 0)
        assert [one.outcome for one in status.attempts] == ["Suspended", ""]
        assert status.run.resumed_from_step == status.attempts[1].resumed_from_step >= step

        await home.patch(cancel=True)
        status = await home.until(lambda status: status.phase == "Cancelled")
        assert (_trainers(status), status.attempts[1].outcome, status.model) == ([], "Cancelled", None)

        await home.patch(cancel=False)
        status = await home.until(lambda status: status.observed_generation == 5)
        assert (status.phase, status.runs) == ("Cancelled", 1)
        await home.patch(retryGeneration=1, hyperparameters={"epochs": 10})
        status = await home.until(lambda status: status.phase == "Succeeded")
        assert (status.runs, status.life_generation, len(status.attempts)) == (2, 6, 1)

        await home.patch(ttlSecondsAfterFinished=0)
        await home.gone()
        assert (list((tmp_path / "state" / "runs").iterdir()), [*scan(tmp_path / "models")]) == ([], ["digits"])


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server", EVERY_SERVER[:2])
async def test_jobs_of_a_queue_with_one_place_train_one_after_another_the_urgent_one_first(tmp_path, server):
    """By priority, then age, then name; a queue that nobody made is waited for."""
    async with house(tmp_path, server) as home:
        home.settings = attrs.evolve(home.settings, queues={"default": 1})
        async with home.controller(), asyncio.timeout(150):
            await home.clear()
            await home.apply("first", hyperparameters={"epochs": 1_000_000})
            await home.all_in(phase="Running", names=["first"])
            waiting = {"a": {}, "b": {}, "urgent": {"priority": 5}, "lost": {"queue": "nosuch"}}
            for name, spec in waiting.items():
                await home.apply(name, output={"model": name}, **spec)
            await home.all_in(phase="Queued", names=waiting)
            lost = Conditions.of((await home.statuses())["lost"].conditions).get("Trained")
            assert (lost.reason, lost.message) == ("QueueNotFound", "there is no queue 'nosuch'; known: default")

            await home.api.patch(TrainingJob, Key("default", "first"), {"spec": {"cancel": True}})
            begun: list[str] = []
            mine = ("first", *waiting)
            while [(found := await home.phases())[name] for name in mine].count("Succeeded") < 3:
                at_work = [name for name in mine if found[name] == "Running"]
                begun += [name for name in at_work if name not in begun]
                assert len(at_work) <= 1
                await asyncio.sleep(0.02)

            assert [name for name in begun if name != "first"] == ["urgent", "a", "b"]
            assert found["lost"] == "Queued"
            await home.clear()


async def test_a_training_that_takes_too_long_ends_with_its_trainer(tmp_path):
    async with house(tmp_path) as home, home.controller():
        await home.apply(hyperparameters={"epochs": 1_000_000}, activeDeadlineSeconds=1)

        status = await home.ended()

        assert (status.phase, reason_of(status, "Trained")) == ("Failed", "DeadlineExceeded")
        assert (_trainers(status), status.attempts[0].outcome) == ([], "Failed")


CONTROLLER = """
import asyncio, sys
from pathlib import Path
from windlass.controller import Manager
from windlass.operators.training import TrainingJob, TrainingSettings, setup

manager = Manager(kinds=[TrainingJob], kubeconfig=Path(sys.argv[1]))
setup(manager, TrainingSettings(Path(sys.argv[2]), Path(sys.argv[3])))
print("up", flush=True)
manager.run()
"""


@pytest.mark.realtime(limit=180)
async def test_controllers_killed_at_random_moments_complete_the_job_once(tmp_path):
    """kill -9 of the whole process; the server lives on, as a cluster would."""
    rng = random.Random(announced_seed())
    async with house(tmp_path) as home:
        home.server.write_kubeconfig(tmp_path / "kubeconfig")
        await home.apply(hyperparameters={"epochs": 300})
        given = [
            sys.executable,
            "-c",
            CONTROLLER,
            *(str(tmp_path / name) for name in ("kubeconfig", "state", "models")),
        ]
        for _ in range(8):
            process = await asyncio.create_subprocess_exec(*given, stdout=subprocess.PIPE)
            assert process.stdout is not None
            await process.stdout.readline()
            await asyncio.sleep(rng.uniform(0.0, 1.2))
            process.kill()
            await process.wait()
        async with home.controller():
            status = await home.ended()
            told = await home.events(7)

        assert (status.phase, status.runs, status.run.failures) == ("Succeeded", 1, 0)
        assert [reason for reason in told if reason != "TrainingResumed"] == TOLD
        assert [found.version for found in scan(tmp_path / "models")["digits"]] == [1]
        run = run_id((await home.api.get(TrainingJob, KEY)).uid, 1)
        lines = (tmp_path / "state" / "runs" / run / "progress.jsonl").read_text().splitlines()
        epochs = [json.loads(line)["epoch"] for line in lines]
        assert epochs == sorted(set(epochs)), "an epoch was trained twice although its checkpoint was there"
