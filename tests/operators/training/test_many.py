"""Many trainings at once: none is lost, none is trained or published twice, and the loop goes on turning."""

import asyncio

import pytest
from inline import NAME, Inline
from many_jobs import Outcome, create_all, outcome_of, small_job, until_ended
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.informers.api import Api
from windlass.informers.builtins import Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup

pytestmark = pytest.mark.realtime(limit=120)
JOBS, MODELS = 40, 4


async def test_of_many_trainings_at_once_none_is_lost_and_each_has_one_version(lab):
    """tests/benchmarks/bench_trainings.py does it with 200 and with processes."""
    table, models = lab.blobs(), lab.path / "models"
    registry = ExecutorRegistry(discover=lambda: ())
    registry.register(NAME, Inline())
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "many"}}
            await api.create(Namespace, body)
            manager = Manager(cluster=cluster, namespace="many")
            setup(manager, TrainingSettings(lab.path / "state", models, executors=registry, workers=8))
            async with manager, asyncio.TaskGroup() as group:
                bodies = [small_job(number, table, models=MODELS, executor=NAME) for number in range(JOBS)]
                group.create_task(create_all(api, bodies, namespace="many"))
                await until_ended(manager, "many", jobs=JOBS, seconds=100)
            outcome = await outcome_of(api, "many", models)

    assert outcome == Outcome(JOBS, lost=(), twice=(), versions=(JOBS // MODELS,) * MODELS)
