"""A job with a gate, on a real server: what passes is published with its evidence, what does not is not."""

import asyncio
import contextlib
import copy
import threading
from pathlib import Path

import attrs
import pytest
from katib_standin import Katib, install_katib
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, sample_job, setup, write_sample_table
from windlass.operators.training.gate.contract import Measurement
from windlass.operators.training.gate.evidence import evidence_fault
from windlass.operators.training.gate.katib import EXPERIMENT
from windlass.operators.training.gate.registry import check_registry
from windlass.statemachine.conditions import Conditions

pytestmark = pytest.mark.realtime
KEY = Key("default", "digits")
ROBUST = {"name": "robust", "check": "fgsm", "parameters": {"epsilon": 1, "maxSuccessRate": 0.4, "low": 0, "high": 16}}
STEADY = {"name": "steady", "check": "sensitivity", "parameters": {"vary": ["learningRate"], "trials": 5}}
ACCURATE = {"name": "accurate", "check": "non-inferiority", "parameters": {"firstModel": "Accept", "tolerance": 0.05}}
DRIFTING = {"name": "drifting", "check": "drift", "required": False}


class House:
    """A server, and controllers one after the other."""

    def __init__(self, path, api, cluster):
        self.path, self.api, self.cluster = path, api, cluster
        self.checks = check_registry(discover=lambda: ())
        self.settings = TrainingSettings(
            path / "state", path / "models", executors=ExecutorRegistry(discover=lambda: ()), checks=self.checks
        )

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster)
        setup(manager, self.settings)
        async with manager:
            yield manager

    async def apply(self, *checks, **spec):
        made = copy.deepcopy(sample_job((self.path / "digits").as_uri()))
        made["spec"] |= {"hyperparameters": {"epochs": 8}, "validation": {"holdout": 0.2}}
        made["spec"] |= {"gate": {"checks": list(checks)}, **spec}
        await self.api.create(TrainingJob, made, namespace="default")

    async def status(self):
        return (await self.api.get(TrainingJob, KEY)).as_(TrainingJob).status

    async def ended(self):
        async with asyncio.timeout(50):
            while (status := await self.status()).phase not in ("Succeeded", "Failed"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return status

    async def delete(self):
        await self.api.delete(TrainingJob, KEY)
        async with asyncio.timeout(20):
            with contextlib.suppress(NotFound):
                while True:
                    await self.status()
                    await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def house(path, kind="embedded"):
    write_sample_table(path / "digits")
    async with open_server(kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            with contextlib.suppress(NotFound):  # of another test on the shared server, whose operator is gone
                await api.patch(TrainingJob, KEY, {"metadata": {"finalizers": None}})
                await api.delete(TrainingJob, KEY)
            yield House(path, api, cluster)


@pytest.mark.parametrize("server", ["embedded", "kubernetes"])
async def test_a_model_that_passes_is_published_and_a_worse_one_after_it_is_not(tmp_path, server):
    async with house(tmp_path, server) as home, home.controller():
        await home.apply(ROBUST, STEADY, ACCURATE, DRIFTING, card={"contact": "the digits team"})
        first = await home.ended()

        assert (first.phase, first.gate.passed) == ("Succeeded", True), first
        assert [(one.name, one.outcome) for one in first.gate.checks] == [
            ("robust", "Passed"),
            ("steady", "Passed"),
            ("accurate", "Passed"),
            ("drifting", "Error"),
        ]
        assert first.gate.model_sha256 == first.model.sha256
        assert evidence_fault(first.gate, tmp_path / "state" / "evidence" / first.run.id) is None

        page = Path(first.model.card.removeprefix("file://"))
        text = page.read_text()
        assert f"| SHA-256 | {first.model.sha256} |" in text
        assert f"| Run id | {first.run.id} |" in text
        assert "| steady | sensitivity | yes | Passed |" in text
        assert text.rstrip().endswith("the digits team")
        assert sorted(path.name for path in page.parent.iterdir()) == ["README.md", "confusion.svg", "loss.svg"]

        await home.delete()
        await home.apply(ACCURATE, hyperparameters={"epochs": 1, "learningRate": 1e-6})
        second = await home.ended()

        assert (second.phase, second.model) == ("Failed", None)
        assert Conditions.of(second.conditions).get("Validated").reason == "GateClosed"
        assert second.gate.checks[0].reason == "MayBeInferior"
        assert [entry.name for entry in (tmp_path / "models" / "digits").iterdir() if entry.name.isdecimal()] == ["1"]
        await home.delete()


@pytest.mark.parametrize(
    ("checks", "reason", "words"),
    [
        ([{**ROBUST, "parameters": {"epsilon": 4, "maxSuccessRate": 0.1}}], "CheckFailed", "robust: Failed, NotRobust"),
        ([{**DRIFTING, "required": True}], "CheckUnanswered", "expected at least 200 recent rows, found 0"),
    ],
    ids=["a no", "missing data"],
)
async def test_a_gate_that_stays_shut_says_why_and_publishes_nothing(tmp_path, checks, reason, words):
    """B1."""
    async with house(tmp_path) as home, home.controller():
        await home.apply(*checks)
        status = await home.ended()

        assert (status.phase, status.gate.passed, status.gate.reason) == ("Failed", False, reason)
        assert words in Conditions.of(status.conditions).get("Succeeded").message
        assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("checks", "reason", "words"),
    [
        ([], "GateInvalid", "spec.gate.checks: expected at least one check, found none"),
        (
            [{"name": "x", "check": "nosuch"}],
            "CheckNotFound",
            "spec.gate.checks[0].check: there is no check named 'nosuch'",
        ),
        (
            [ROBUST, {**STEADY, "parameters": {"vary": ["momentun"]}}],
            "InvalidParameters",
            "spec.gate.checks[1].parameters.vary: expected names of hyperparameters that are numbers other than 0",
        ),
    ],
    ids=["an empty list", "an unknown check", "a slip in its parameters"],
)
async def test_a_gate_that_could_never_open_is_refused_before_anything_is_trained(tmp_path, checks, reason, words):
    """B1."""
    async with house(tmp_path) as home, home.controller():
        await home.apply(*checks)
        status = await home.ended()

        assert (status.phase, status.runs, status.gate) == ("Failed", 0, None)
        assert Conditions.of(status.conditions).get("Accepted").reason == reason
        assert Conditions.of(status.conditions).get("Succeeded").message.startswith(words)


async def test_the_trials_of_a_job_can_be_an_experiment_if_the_operators_owner_allows_it(tmp_path):
    """B5, B6: owned by the job, so that it is gone with it. Not allowed, it is a doubt, and blocks."""
    spec = {"apiVersion": "batch/v1", "kind": "Job"}
    check = {**STEADY, "parameters": {**STEADY["parameters"], "katib": {"trialSpec": spec}}}
    async with house(tmp_path) as home:
        await install_katib(home.api)
        async with home.controller():
            await home.apply(check)
            refused = await home.ended()
            assert refused.gate.checks[0].reason == "KatibNotAllowed"
            await home.delete()

        home.settings = attrs.evolve(home.settings, katib=True)
        async with home.controller(), Katib(home.api, "default", (0.9, 0.91, 0.92, 0.93, 0.94)).running():
            await home.apply(check)
            status = await home.ended()
            (experiment,) = (await home.api.list(EXPERIMENT, namespace="default")).items

        assert (status.phase, status.gate.checks[0].samples) == ("Succeeded", 5)
        assert status.gate.checks[0].statistic == pytest.approx(0.00025)
        job = await home.api.get(TrainingJob, KEY)
        assert [one["uid"] for one in experiment.to_dict()["metadata"]["ownerReferences"]] == [job.uid]


class Slow:
    """A check that waits for the test, the first time."""

    name = "slow"

    def __init__(self):
        self.began, self.calls = threading.Event(), 0

    def measure(self, subject, parameters, deadline):
        self.calls += 1
        self.began.set()
        while self.calls == 1:
            deadline.check()
            threading.Event().wait(0.01)
        return Measurement("Passed", "Fine", "it is fine", samples=1)


async def test_a_controller_that_stops_while_it_judges_leaves_it_to_the_next(tmp_path):
    """G1: the same final state."""
    slow = Slow()
    async with house(tmp_path) as home:
        home.checks.register("slow", slow)
        async with home.controller():
            await home.apply({"name": "slow", "check": "slow"})
            assert await asyncio.to_thread(slow.began.wait, 40)
            async with asyncio.timeout(20):
                while (status := await home.status()).phase != "Validating":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert status.gate is None

        async with home.controller():
            status = await home.ended()

        assert (status.phase, status.gate.passed, status.run.attempt, status.runs) == ("Succeeded", True, 1, 1)
        assert slow.calls == 2
        assert attrs.evolve(status.gate.checks[0], duration_seconds=0.0).message == "it is fine"
