"""The main job, as a newcomer sees it: one command, and a model that answers."""

import asyncio
import contextlib
import re
import shlex
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from programs import WINDLASS, children_of, run, running, until
from servers import EVERY_SERVER, open_server

from windlass.cli import up
from windlass.envtest.apiserver import ApiServer
from windlass.informers import Api, Client, Cluster, Key
from windlass.informers.errors import Invalid, NotFound
from windlass.informers.requests import PatchType
from windlass.manifests import crd
from windlass.manifests.install import install
from windlass.operators.promotion import Promotion
from windlass.operators.training import TrainingJob, sample_job

pytestmark = pytest.mark.realtime(limit=120)

UP = (*WINDLASS, "up", "--no-progress", "--port", "0")
SAMPLE = Key("default", "digits")


@asynccontextmanager
async def api_of(kubeconfig):
    async with Client(await Cluster.load(Path(kubeconfig))) as client:
        yield Api(client)


async def recorded(data):
    """The sample in the database of a folder that nobody uses now."""
    async with (
        ApiServer(data / "apiserver.db") as server,
        Client(Cluster.from_dict(server.kubeconfig())) as client,
    ):
        return (await Api(client).get(TrainingJob, SAMPLE)).as_(TrainingJob)


def published(data):
    return sorted(path.name for path in (data / "models" / "digits").iterdir() if path.name.isdecimal())


def job(name, **changes):
    body = sample_job("/nowhere")
    body["metadata"]["name"] = name
    for field, value in changes.items():
        body["spec"][field] = value
    return body


async def test_once_trains_checks_a_prediction_and_does_nothing_again_the_second_time(tmp_path):
    data = tmp_path / "data"
    first = await run(*UP, "--once", "--data", "data", cwd=tmp_path)

    assert (first.code, first.err) == (0, "")
    assert "default/digits: Succeeded  epoch 150/150" in first.out
    shown = [line.removeprefix("default/digits: ") for line in first.out.splitlines() if "Promoting  " in line]
    canary = [line for line in shown if "Holding" in line or "at 100" in line]
    assert canary == [
        "Promoting  Holding at 10 %",
        "Promoting  Holding at 50 %",
        "Promoting  Promoting at 100 %",
    ], first.out
    prediction, card, evidence = first.out.splitlines()[-3:]
    assert prediction.startswith("prediction   row ")
    assert prediction.endswith(", correct")
    assert Path(card.split("file://")[1]).read_text().startswith("---")
    assert len(list(Path(evidence.split("file://")[1]).iterdir())) == 3
    assert "curl" not in first.out, "what could be tried is gone when the program is"
    assert f"export KUBECONFIG={data}/kubeconfig" in first.out

    again = await run(*UP, "--once", "--data", "data", cwd=tmp_path)

    assert (again.code, again.err) == (0, "")
    assert "default/digits is there already" in again.out
    assert "Running" not in again.out
    assert again.out.splitlines()[-3:] == [prediction, card, evidence], "the route is as the promotion left it"
    assert again.seconds < first.seconds
    found = await recorded(data)
    assert (found.status.runs, found.status.run.attempt, published(data)) == (1, 1, ["1", "2"])
    assert [one.outcome for one in found.status.gate.checks] == ["Passed"] * 3
    assert found.status.validation.accuracy >= 0.93


async def test_bad_jobs_fail_with_a_reason_each_and_everything_else_goes_on(tmp_path):
    async with running(*UP, cwd=tmp_path) as program:
        kubeconfig = shlex.split(await program.line("KUBECONFIG="))[-1].partition("=")[2]
        table = str(Path(kubeconfig).parent / "tables" / "digits")
        await program.line("default/digits: ")
        async with api_of(kubeconfig) as api:
            for body in (
                job("executor", executor="no-such"),
                job("table", data={"uri": str(tmp_path / "absent"), "version": 0}),
                job("version", data={"uri": table, "version": 99}),
                job("number", data={"uri": table, "version": 0}, hyperparameters={"epochs": "many"}),
                job("name", data={"uri": table, "version": 0}, hyperparameters={"epoch": 3}),
            ):
                await api.create(TrainingJob, body)
            reasons = {
                name: (await program.line(f"default/{name}: Failed")).split("  ", 1)[1].strip()
                for name in ("executor", "table", "version", "number", "name")
            }
            with pytest.raises(Invalid, match=r"spec\.seed.*-1"):
                await api.create(TrainingJob, job("schema", seed=-1))
            lacking = job("lacking")
            del lacking["spec"]["output"]
            with pytest.raises(Invalid, match=r"spec\.output"):
                await api.create(TrainingJob, lacking)
        told, known = reasons["executor"].rsplit(": ", 1)
        assert told == "ExecutorNotFound: there is no executor named 'no-such'; known executors"
        assert {"softmax", "mlp", "llm-finetune"} <= set(known.split(", "))
        assert reasons["table"].startswith("TableNotFound: ")
        assert str(tmp_path / "absent") in reasons["table"]
        assert reasons["version"].startswith("DataVersionNotFound: ")
        assert "99" in reasons["version"]
        assert reasons["number"].startswith("InvalidHyperparameters: ")
        assert "epochs" in reasons["number"]
        assert reasons["name"].startswith("InvalidHyperparameters: ")

        await program.line("to stop      Ctrl-C", seconds=50)
        await the_printed_requests_work(program)
        program.interrupt()
        ended = await program.end(seconds=5)
    assert ended.code == 0
    assert ended.err == "stopping in order; a second Ctrl-C ends it at once\n"
    assert not Path(kubeconfig).parent.exists(), "a temporary folder is gone afterwards"


def read(path):
    return Path(path).read_bytes()


def alive(pid):
    return Path(f"/proc/{pid}").exists()


async def the_printed_requests_work(program):
    """What curl sends with -d is a form by its content type."""
    lines = [shlex.split(line.partition("curl")[2]) for line in program.out if "curl" in line]
    assert len(lines) == 3
    async with aiohttp.ClientSession() as session:
        for words in lines:
            url = words[-1]
            if len(words) == 1:
                async with session.get(url) as response:
                    assert response.status == 200
                    assert (await response.json())["name"] == "digits"
                continue
            body = words[1]
            data = read(body[1:]) if body.startswith("@") else body.encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            async with session.post(url, data=data, headers=headers) as response:
                assert response.status == 200, await response.text()
                answer = await response.json()
            assert answer == {"prediction": -0.5} or answer["model_name"] == "digits"


async def test_ctrl_c_while_training_stops_in_order_and_the_same_command_resumes(tmp_path):
    data = tmp_path / "data"
    async with running(*UP, "--data", "data", cwd=tmp_path) as program:
        await program.line("Running  epoch")
        trainers = children_of(program.pid)
        program.interrupt()
        ended = await program.end(seconds=5)

    assert (ended.code, len(trainers)) == (0, 1)
    assert not any(alive(pid) for pid in trainers)
    stopped_at = max(int(path.name) for path in data.glob("runs/*/checkpoints/*") if path.name.isdecimal())

    again = await run(*UP, "--once", "--data", "data", cwd=tmp_path)

    assert (again.code, again.err) == (0, "")
    found = await recorded(data)
    assert (found.status.phase, found.status.runs, published(data)) == ("Succeeded", 1, ["1", "2"])
    assert found.status.run.attempt == 2
    assert found.status.run.failures == 0, "an orderly stop is no failure of the trainer"
    assert found.status.run.resumed_from_step == stopped_at > 0


async def test_ctrl_c_ends_once_with_a_failure_because_it_is_not_done(tmp_path):
    async with running(*UP, "--once", cwd=tmp_path) as program:
        await program.line("default/digits: ")
        program.interrupt()
        ended = await program.end(seconds=5)

    assert (ended.code, ended.err) == (1, "stopping in order; a second Ctrl-C ends it at once\n")


async def test_a_second_ctrl_c_ends_it_at_once_and_no_trainer_is_left(tmp_path):
    async with running(*UP, "--data", "data", cwd=tmp_path) as program:
        url = (await program.line("API server")).split()[-1]
        await program.line("Running  epoch")
        (trainer,) = children_of(program.pid)
        # A request that never ends holds up the stop for a moment.
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        program.interrupt()
        await program.line("stopping in order")
        program.interrupt()
        ended = await program.end(seconds=2)
        writer.close()

    assert ended.code == 130
    await until(lambda: not alive(trainer))


@pytest.mark.realtime(limit=180)  # the first test on a server starts it
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_a_cluster_of_ones_own_serves_as_well(kind, tmp_path):
    async with open_server(kind) as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        try:
            ended = await run(*UP, "--once", "--kubeconfig", "kubeconfig", "--data", "data", cwd=tmp_path)
        finally:
            async with api_of(tmp_path / "kubeconfig") as api:
                # On the shared cluster nobody is left to take the finalizer away.
                made = (await api.get(TrainingJob, SAMPLE)).as_(TrainingJob).status.promotion
                await api.patch(TrainingJob, SAMPLE, {"metadata": {"finalizers": None}})
                await api.delete(TrainingJob, SAMPLE)
                if made is not None:
                    key = Key(SAMPLE.namespace, made.name)
                    await api.patch(Promotion, key, {"metadata": {"finalizers": None}})
                    with contextlib.suppress(NotFound):  # gone with its owner
                        await api.delete(Promotion, key)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-3].endswith(", correct")
    assert "API server" not in ended.out, "no other one was started"


async def test_a_sample_that_an_operator_of_the_cluster_works_is_left_to_it(tmp_path):
    async with open_server("embedded") as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        async with api_of(tmp_path / "kubeconfig") as api:
            await install(api, [TrainingJob])
            await api.create(TrainingJob, job("digits"), namespace="default")
            taken = {"status": {"operator": "windlass", "observedGeneration": 1, "lifeGeneration": 1}}
            await api.patch(TrainingJob, SAMPLE, taken, type=PatchType.MERGE, subresource="status")
            ended = await run(*UP, "--once", "--kubeconfig", "kubeconfig", "--data", "data", cwd=tmp_path)
            found = (await api.get(TrainingJob, SAMPLE)).as_(TrainingJob)

    assert (ended.code, found.status.runs, found.metadata.finalizers) == (1, 0, ())
    assert "the operator windlass of this cluster works the job default/digits" in ended.err
    assert not (tmp_path / "data" / "runs").exists()


async def test_a_sample_that_is_deleted_ends_the_wait_for_it(tmp_path):
    async with running(*UP, "--once", "--data", "data", cwd=tmp_path) as program:
        await program.line("default/digits: Running")
        async with api_of(tmp_path / "data" / "kubeconfig") as api:
            await api.delete(TrainingJob, SAMPLE)
        ended = await program.end(seconds=15)

    assert (ended.code, ended.err) == (1, "windlass: the job default/digits was deleted before it had ended\n")


async def test_a_sample_that_fails_is_a_failure_with_its_reason(tmp_path):
    async with running(*UP, "--once", "--data", "data", cwd=tmp_path) as program:
        await program.line("default/digits: ")
        async with api_of(tmp_path / "data" / "kubeconfig") as api:
            await api.patch(TrainingJob, SAMPLE, {"spec": {"executor": "no-such"}})
        ended = await program.end(seconds=15)

    assert ended.code == 1
    says = "windlass: the job default/digits failed: ExecutorNotFound: there is no executor named 'no-such'"
    assert ended.err.startswith(says)


def test_no_job_can_publish_a_model_that_the_example_would_hide():
    """`linear` could, and was never served."""
    (version,) = crd(TrainingJob)["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    pattern = spec["output"]["properties"]["model"]["pattern"]

    assert re.search(pattern, "linear")
    assert not re.search(pattern, up.EXAMPLE)
