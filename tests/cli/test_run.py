"""Operators as a program of their own, against a server that was started by another one."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from greetings import create_greeting, define, message_becomes
from programs import WINDLASS, children_of, run, running

from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, sample_job, write_sample_table

pytestmark = pytest.mark.realtime

RUN = (*WINDLASS, "run", "--kubeconfig", "kubeconfig")
TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial"


@asynccontextmanager
async def control_plane(folder):
    """`windlass envtest start` in the folder, and a client of it."""
    async with running(*WINDLASS, "envtest", "start", cwd=folder) as server:
        await server.line("KUBECONFIG=")
        async with Client(await Cluster.load(folder / "kubeconfig")) as client:
            yield Api(client)


async def status_when(api, key, done, *, seconds=40):
    """The job's status, once it is as wanted."""
    async with asyncio.timeout(seconds):
        while True:
            job = (await api.get(TrainingJob, key)).as_(TrainingJob)
            if done(job.status):
                return job.status
            await asyncio.sleep(0.1)


def short_job(table, name, epochs):
    body = sample_job(str(table))
    body["metadata"]["name"] = name
    body["spec"]["hyperparameters"]["epochs"] = epochs
    body["spec"]["validation"]["minAccuracy"] = 0.8
    return body


async def test_a_training_job_succeeds_on_a_server_of_its_own(tmp_path):
    """And an orderly stop in the middle of another one leaves no trainer, and a run to go on with."""
    await asyncio.to_thread(write_sample_table, tmp_path / "table")
    async with control_plane(tmp_path) as api:
        await install(api, [TrainingJob])
        options = ("--state", "state", "--models", "models", "--journal", "journal.jsonl")
        async with running(*RUN, *options, cwd=tmp_path) as program:
            assert await program.line("running") == "running      training\n"
            await api.create(TrainingJob, short_job(tmp_path / "table", "short", 10))
            status = await status_when(api, Key("default", "short"), lambda found: found.phase == "Succeeded")
            assert (status.runs, status.model.version) == (1, 1)
            assert (tmp_path / "models" / "digits" / "1" / "model.onnx").is_file()
            for source in (
                ("journal.jsonl", "--only", "default/short"),
                ("default/short", "--kubeconfig", "kubeconfig"),
            ):
                told = await run(*WINDLASS, "journal", "explain", *source, cwd=tmp_path)
                assert (told.code, told.out.splitlines()[-1]) == (0, "1 object(s), 7 transition(s), no faults")

            await api.create(TrainingJob, short_job(tmp_path / "table", "long", 5000))
            await status_when(api, Key("default", "long"), lambda found: found.progress is not None)
            trainers = children_of(program.pid)
            program.interrupt()
            ended = await program.end(seconds=5)
        assert (ended.code, len(trainers)) == (0, 1)
        assert not any(Path(f"/proc/{pid}").exists() for pid in trainers)
        assert (await api.get(TrainingJob, Key("default", "long"))).as_(TrainingJob).status.phase == "Running"


@pytest.mark.parametrize("loop", [(), ("--uvloop",)], ids=["asyncio", "uvloop"])
async def test_an_operator_of_ones_own_is_found_in_the_current_folder(loop, tmp_path):
    key = Key("default", "world")
    async with control_plane(tmp_path) as api:
        printed = await run(*WINDLASS, "crd", "generate", "greeting:Greeting", cwd=TUTORIAL)
        assert (printed.code, printed.err) == (0, "")
        await define(api, printed.out)
        options = ("--kubeconfig", str(tmp_path / "kubeconfig"), "--operator", "greeting:setup", "--no-training")
        async with running(*WINDLASS, "run", *options, *loop, cwd=TUTORIAL) as program:
            assert await program.line("running") == "running      greeting\n"
            await create_greeting(api, key, "World")
            await message_becomes(api, key, "Hello, World!")
            assert ("uvloop" in Path(f"/proc/{program.pid}/maps").read_text()) == bool(loop)
            program.interrupt()
            assert (await program.end(seconds=5)).code == 0


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--kubeconfig", "absent"), 2, "Invalid value for --kubeconfig: no cluster is configured: absent does not"),
        (("--operator", "nothing_there:setup"), 2, "Invalid value for --operator: cannot import nothing_there: "),
        (("--operator", "json:loads.x"), 2, "Invalid value for --operator: module json has no 'loads.x'"),
        (("--operator", "json:__name__"), 2, "Invalid value for --operator: json:__name__ is not a function"),
        (("--no-training",), 2, "there is nothing to run: name an --operator, or leave --training on"),
        (("--probe-port", "70000"), 2, "Invalid value for '--probe-port'"),
    ],
)
async def test_what_cannot_be_run_is_one_line(options, code, says, tmp_path):
    ended = await run(*WINDLASS, "run", *options, cwd=tmp_path)

    assert (ended.code, ended.err.count("\n"), ended.out) == (code, 1, "")
    assert ended.err.startswith(f"windlass: {says}")


async def test_the_probe_port_serves_health_and_metrics(tmp_path):
    async with control_plane(tmp_path) as api:
        await install(api, [TrainingJob])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        async with running(*RUN, "--probe-port", str(port), cwd=tmp_path) as program, ClientSession() as session:
            await program.line("running")
            for path in ("healthz", "readyz", "metrics"):
                async with session.get(f"http://127.0.0.1:{port}/{path}") as response:
                    assert response.status == 200, path
