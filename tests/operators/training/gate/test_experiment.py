"""An Experiment in a cluster with Katib's definitions: created once, found again, and doubted where there is doubt."""

import asyncio
import contextlib
import itertools
import os
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from gate_subjects import subject
from katib_standin import Katib, install_katib, remove_katib
from servers import open_server

from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import ConnectionFailed
from windlass.informers.keys import Key
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.checks.sensitivity import SENSITIVITY, SensitivityParameters, judge_trials
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.experiment import (
    ExperimentPatience,
    KatibCluster,
    KatibTrials,
    katib_is_present,
    run_experiment,
)
from windlass.operators.training.gate.katib import EXPERIMENT, KatibSettings, experiment_name, render_experiment
from windlass.operators.training.gate.local import LocalTrials
from windlass.operators.training.gate.registry import check_registry
from windlass.operators.training.gate.runner import run_gate
from windlass.operators.training.gate.trials import Range, TrialPlan, TrialTemplate
from windlass.operators.training.gate.types import CheckSpec, GateSpec

pytestmark = [pytest.mark.realtime, pytest.mark.parametrize("kind", ["embedded", "kubernetes"])]
NUMBERS = itertools.count()
PLAN = TrialPlan("a" * 64, "accuracy", (Range("learningRate", 0.04, 0.06),), 6, 9)
ASKED = SensitivityParameters(vary=("learningRate",), trials=6)
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"name": "training", "image": "trainer", "args": ["--rate=${trialParameters.learningRate}"]}
                ],
                "restartPolicy": "Never",
            }
        }
    },
}


@attrs.frozen
class House:
    """An API server with Katib's definitions, and a namespace with the job that owns."""

    api: Api
    settings: KatibSettings

    def katib(self, *script, **more):
        return Katib(self.api, self.settings.namespace, script, **more)

    def run(self, *, timeout=120.0, plan=PLAN, **more):
        patience = ExperimentPatience(timeout, poll_seconds=0.03, **more)
        return run_experiment(self.api, plan, settings=self.settings, patience=patience)

    async def experiments(self):
        return (await self.api.list(EXPERIMENT, namespace=self.settings.namespace)).items

    async def refused(self, **more):
        with pytest.raises(CheckError) as caught:
            await self.run(**more)
        return caught.value.reason


@contextlib.asynccontextmanager
async def house(kind, *, katib=True):
    async with open_server(kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await (install_katib(api) if katib else remove_katib(api))
            namespace = f"gate-{os.getpid()}-{next(NUMBERS)}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            job = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "job", "namespace": namespace}}
            made = await api.create(ConfigMap, job)
            owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "job", "uid": made.uid}
            yield House(api, KatibSettings(namespace=namespace, owner=owner, template=TrialTemplate(JOB)))


async def test_the_whole_check_by_katib_says_the_same_as_by_ourselves(kind, tmp_path):
    """B6: the verdict is identical in shape, whoever runs the trials."""
    async with house(kind) as cluster, cluster.katib(*[0.9, 0.91, 0.92] * 2).running():
        katib = KatibTrials(cluster.api, cluster.settings, asyncio.get_running_loop(), poll_seconds=0.03)
        local = LocalTrials(lambda values, patience: 0.9)
        gate = GateSpec((CheckSpec("steady", "sensitivity", True, 50.0, {"vary": ["learningRate"], "trials": 6}),))
        found = [
            await run_gate(
                gate,
                subject(hyperparameters={"learningRate": 0.05}, trials=runner),
                registry=check_registry(discover=lambda: ()),
                evidence=tmp_path,
            )
            for runner in (katib, local)
        ]

    assert [one.passed for one in found] == [True, True]
    assert found[0].checks[0].statistic == pytest.approx(8e-05)
    by_hand = SENSITIVITY.measure(
        subject(hyperparameters={"learningRate": 0.05}, trials=local), gate.checks[0].parameters, Deadline(60)
    )
    assert set(by_hand.details) == {"runner", "spread", "trials"}


@pytest.mark.parametrize("katib", [True, False], ids=["there", "absent"])
async def test_who_runs_the_trials_is_found_out_in_the_cluster(kind, katib, tmp_path):
    """B6, and B5: what is begun anew finds the Experiment that is there."""
    parameters = {"vary": ["learningRate"], "trials": 6, "katib": {"trialSpec": JOB}}
    gate = GateSpec((CheckSpec("steady", "sensitivity", True, 50.0, parameters),))
    async with house(kind, katib=katib) as cluster, contextlib.AsyncExitStack() as stack:
        if katib:
            await stack.enter_async_context(cluster.katib(*[0.9, 0.91, 0.92] * 2).running())
        given = subject(
            hyperparameters={"learningRate": 0.05},
            trials=LocalTrials(lambda values, patience: 0.9),
            cluster=KatibCluster(
                cluster.api, cluster.settings.namespace, cluster.settings.owner, asyncio.get_running_loop(), 0.03
            ),
        )
        registry = check_registry(discover=lambda: ())
        found = [await run_gate(gate, given, registry=registry, evidence=tmp_path) for _ in range(2)]
        made = len(await cluster.experiments()) if katib else 0

    assert [one.passed for one in found] == [True, True]
    assert made == (1 if katib else 0)
    assert (found[0].checks[0].statistic > 0) is katib
    assert found[0].checks[0].evidence_sha256 == found[1].checks[0].evidence_sha256


async def test_some_trials_may_be_lost_and_those_stopped_early_do_not_count(kind):
    """B5."""
    plan = attrs.evolve(PLAN, count=10)
    async with house(kind) as cluster, cluster.katib(*[0.9, 0.92] * 4, "fails", "stops early").running():
        trials = await cluster.run(plan=plan)

    assert [one.state for one in trials] == ["Succeeded"] * 8 + ["Failed", "EarlyStopped"]
    assert all(one.assignments == {"learningRate": 0.04} for one in trials)
    found = judge_trials(trials, attrs.evolve(ASKED, trials=10))
    assert (found.outcome, found.samples) == ("Passed", 8)


@pytest.mark.parametrize("word", ["unavailable", "fails", "killed", "stops early", "nan"])
async def test_trials_without_a_number_are_no_answer(kind, word):
    """B1: `unavailable` blocks; B5."""
    async with house(kind) as cluster, cluster.katib(*[0.9] * 4, word, word).running():
        trials = await cluster.run()

    with pytest.raises(CheckError) as caught:
        judge_trials(trials, ASKED)
    assert caught.value.reason == "TooFewTrials"


async def test_one_that_stalls_is_given_up_by_its_own_age(kind):
    """B1: time-out. G5: counted from the Experiment's creation, so a restart does not begin the wait anew."""
    async with house(kind) as cluster, cluster.katib(*[0.9] * 5, "hangs", ends=None).running():
        assert await cluster.refused(timeout=0.3) == "TimedOut"
        later = datetime.now(UTC) + timedelta(hours=2)
        assert await cluster.refused(timeout=3600.0, clock=lambda: later) == "TimedOut"

        assert len(await cluster.experiments()) == 1


async def test_one_that_fails_as_a_whole_is_no_answer(kind):
    async with house(kind) as cluster, cluster.katib(*["fails"] * 6, ends=("Failed", "ExperimentFailed")).running():
        assert await cluster.refused() == "ExperimentFailed"


class Watched:
    """The API, and whether somebody is at a call of it."""

    def __init__(self, api):
        self._api, self.calls, self.busy = api, 0, 0

    def __getattr__(self, name):
        call = getattr(self._api, name)

        async def counted(*arguments, **more):
            self.calls, self.busy = self.calls + 1, self.busy + 1
            try:
                return await call(*arguments, **more)
            finally:
                self.busy -= 1

        return counted


async def test_a_restart_goes_on_with_the_same_experiment(kind):
    """B5: re-attached by its deterministic name, never a second one."""
    async with house(kind) as cluster:
        katib, watched = cluster.katib(*[0.9] * 6), Watched(cluster.api)
        async with katib.running(at_once=False):
            for _ in range(3):
                before = watched.calls
                task = asyncio.create_task(attrs.evolve(cluster, api=watched).run())
                # It has created or found the Experiment, and waits; no request of it is half sent.
                while watched.calls < before + 3 or watched.busy:  # noqa: ASYNC110  # another task's state
                    await asyncio.sleep(0.005)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            katib.go.set()
            trials = await cluster.run()

        assert len(trials) == 6
        assert [one.name for one in await cluster.experiments()] == [experiment_name(PLAN, cluster.settings)]
        assert len(katib.played) == 1


async def test_two_at_once_make_one(kind):
    async with house(kind) as cluster:
        katib = cluster.katib(*[0.9] * 6)
        async with katib.running():
            found = await asyncio.gather(*[cluster.run() for _ in range(4)])

        assert found[0] == found[1] == found[2] == found[3]
        assert len(katib.played) == 1


async def test_a_namesake_is_never_adopted_and_left_as_it_is(kind):
    """G2."""
    async with house(kind) as cluster:
        body = render_experiment(PLAN, cluster.settings)
        del body["metadata"]["annotations"]
        made = await cluster.api.create(EXPERIMENT, body)

        assert await cluster.refused() == "NameConflict"
        assert [one.resource_version for one in await cluster.experiments()] == [made.resource_version]


async def test_one_that_is_deleted_under_way_is_no_answer_and_not_made_again(kind):
    async with house(kind) as cluster:
        katib = cluster.katib(*[0.9] * 6)
        async with katib.running(at_once=False):
            task = asyncio.create_task(cluster.run())
            while not katib.played:  # noqa: ASYNC110  # another task's state
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)
            key = Key(cluster.settings.namespace, experiment_name(PLAN, cluster.settings))
            await cluster.api.delete(EXPERIMENT, key)
            with pytest.raises(CheckError) as caught:
                await task

        assert caught.value.reason == "ExperimentGone"
        assert await cluster.experiments() == []


class Flaky:
    """The API, whose reads fail so many times."""

    def __init__(self, api, failures):
        self._api, self.failures = api, failures

    def __getattr__(self, name):
        return getattr(self._api, name)

    async def get(self, *arguments, **more):
        self.failures -= 1
        if self.failures >= 0:
            raise ConnectionFailed("no answer")
        return await self._api.get(*arguments, **more)


async def test_a_server_that_does_not_answer_for_a_while_is_asked_again(kind):
    async with house(kind) as cluster, cluster.katib(*[0.9] * 6).running():
        assert len(await attrs.evolve(cluster, api=Flaky(cluster.api, 5)).run()) == 6
        asked_in_vain = attrs.evolve(cluster, api=Flaky(cluster.api, 10**6))
        assert await asked_in_vain.refused(timeout=0.3) == "KatibUnreachable"


async def test_without_its_definitions_katib_is_absent_and_with_them_it_is_there(kind):
    """B6."""
    async with house(kind, katib=False) as cluster:
        assert not await katib_is_present(cluster.api, cluster.settings.namespace)
        assert await cluster.refused() == "KatibUnreachable"
        await install_katib(cluster.api)
        assert await katib_is_present(cluster.api, cluster.settings.namespace)
