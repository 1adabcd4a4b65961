"""The pages about trainers and executors of one's own, tried as their readers would."""

import asyncio
import contextlib
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import attrs
import pytest
import yaml
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table
from windlass.operators.training.executors.environment import VARIABLES

pytestmark = pytest.mark.realtime(limit=120)

REPOSITORY = Path(__file__).resolve().parents[2]
HOW_TO = REPOSITORY / "docs" / "how-to"
sys.path.insert(0, str(REPOSITORY / "tests" / "operators" / "training"))  # for the stand-in of a kubelet


@contextlib.asynccontextmanager
async def server_with_data(folder):
    await asyncio.to_thread(write_sample_table, folder / "digits")
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            yield api, cluster


async def ended(api, name):
    end = asyncio.get_running_loop().time() + 90
    while True:
        status = (await api.get(TrainingJob, Key("default", name))).as_(TrainingJob).status
        if status.phase in ("Succeeded", "Failed"):
            return status
        assert asyncio.get_running_loop().time() < end, status
        await asyncio.sleep(0.05)


async def test_the_job_of_the_page_trains_with_the_example_and_publishes_its_model(tmp_path):
    page = (HOW_TO / "own-trainer.md").read_text()
    body = yaml.safe_load(re.search(r"<!-- own-trainer.yaml -->\n```yaml\n(.*?)```", page, re.DOTALL).group(1))
    body["spec"]["data"]["uri"] = (tmp_path / "digits").as_uri()
    program, script = body["spec"]["workload"]["command"]
    assert program == "python"
    body["spec"]["workload"]["command"] = [sys.executable, "-P", str(REPOSITORY / script)]
    settings = TrainingSettings(
        tmp_path / "state", tmp_path / "models", executors=ExecutorRegistry(discover=lambda: ()), allow_processes=True
    )
    async with server_with_data(tmp_path) as (api, cluster):
        manager = Manager(cluster=cluster)
        setup(manager, settings)
        async with manager:
            await api.create(TrainingJob, body, namespace="default")
            status = await ended(api, "own")

    assert status.phase == "Succeeded", status
    assert (tmp_path / "models" / "own" / "1" / "model.onnx").exists()


def test_the_page_names_every_variable():
    page = (HOW_TO / "own-trainer.md").read_text()

    assert [name for name, text in VARIABLES.items() if f"| `{name}` | {text} |" not in page] == []


async def test_both_executors_of_the_page_train(tmp_path, monkeypatch):
    from kubelet import STAGES, Kubelet

    from windlass.envtest.workloads import Workloads

    # Elsewhere than in the documentation, as who copies the program has it.
    shutil.copy(HOW_TO / "new_executor.py", tmp_path)
    shutil.copy(HOW_TO.parent / "examples" / "own-trainer" / "train.py", tmp_path)
    found = importlib.util.spec_from_file_location("howto_new_executor", tmp_path / "new_executor.py")
    program = importlib.util.module_from_spec(found)
    found.loader.exec_module(program)
    own = attrs.evolve(program.settings(), state=tmp_path / "state", models=tmp_path / "models")
    own = attrs.evolve(own, executors=ExecutorRegistry(discover=lambda: ()))
    monkeypatch.setattr(program, "settings", lambda: own)
    workload = {"image": "example.com/own:1", "command": [sys.executable, "-P", str(program.TRAINER)]}
    jobs = {
        "pod": {"workload": workload, "hyperparameters": {"epochs": 5}},
        "digits": {"hyperparameters": {"epochs": 5}},
    }
    async with server_with_data(tmp_path) as (api, cluster), Workloads(cluster, stages=STAGES), Kubelet(api):
        manager = Manager(cluster=cluster)
        program.setup(manager)
        async with manager:
            for name, more in jobs.items():
                spec = {"executor": name, "data": {"uri": (tmp_path / "digits").as_uri()}, "output": {"model": name}}
                await api.create(
                    TrainingJob,
                    {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": name},
                     "spec": spec | more},
                    namespace="default",
                )  # fmt: skip
            pod, digits = [await ended(api, name) for name in jobs]

    assert (pod.phase, pod.attempts[-1].child.kind) == ("Succeeded", "Pod"), pod
    assert (digits.phase, digits.attempts[-1].child) == ("Succeeded", None), digits
