"""What a running operator tells of a real job over HTTP: its numbers, and its timeline behind the debug page."""

import asyncio
import copy

import aiohttp
import pytest
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager, Settings
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, sample_job, setup, write_sample_table


@pytest.mark.realtime
async def test_a_job_is_counted_and_its_timeline_is_linked_from_the_debug_page(tmp_path):
    write_sample_table(tmp_path / "digits")
    settings = TrainingSettings(
        tmp_path / "state", tmp_path / "models", executors=ExecutorRegistry(discover=lambda: ())
    )
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            manager = Manager(cluster=cluster, settings=Settings(probe_port=0))
            setup(manager, settings)
            async with manager:
                job = copy.deepcopy(sample_job((tmp_path / "digits").as_uri()))
                job["spec"] |= {"hyperparameters": {"epochs": 2}, "validation": {"minAccuracy": 0.0}}
                await api.create(TrainingJob, job, namespace="default")
                await until(manager, 'windlass_training_jobs_ended_total{phase="Succeeded"} 1.0')
                lines = (await got(manager, "/metrics")).splitlines()
                debug = await got(manager, "/debug/controllers?key=default/digits", json=True)
                picture = await got(manager, debug["pages"]["timeline"])

    assert 'windlass_training_jobs{phase="Succeeded"} 1.0' in lines
    assert "windlass_training_attempts_total 1.0" in lines
    assert 'windlass_training_phase_duration_seconds_count{phase="Running"} 1.0' in lines
    assert picture.startswith("<svg ")
    assert "<title>default/digits: Succeeded</title>" in picture


async def until(manager, line):
    async with asyncio.timeout(50):
        while line not in await got(manager, "/metrics"):  # noqa: ASYNC110  # scraped as Prometheus would
            await asyncio.sleep(0.1)


async def got(manager, path, *, json=False):
    host, port = manager.probe_address
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}{path}") as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json() if json else await answer.text()
