"""What trainers say, from the folder of a run and from Pods."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from aiohttp import web

from windlass.cli.job.access import Jobs
from windlass.cli.job.output import Listening, NoOutput, show_output
from windlass.informers import Api, Client, Cluster
from windlass.informers.builtins import Pod
from windlass.operators.training.runfolder import RunFolder

sys.path.insert(0, str(Path(__file__).parent))

from clusters import PROGRESS, RUN, RUNNING, SUCCEEDED, house

pytestmark = pytest.mark.realtime


def said(state, attempt, *lines):
    path = RunFolder(state / "runs" / RUN["id"]).log(attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def progressed(state, epoch):
    folder = RunFolder(state / "runs" / RUN["id"])
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.progress_log.open("a") as file:
        file.write(json.dumps(PROGRESS | {"epoch": epoch}) + "\n")


async def test_words_of_each_attempt_come_in_order_and_then_the_progress(tmp_path):
    said(tmp_path, 1, "loading", "\x1b[31mkilled")
    said(tmp_path, 2, "resumed")
    progressed(tmp_path, 4)
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", SUCCEEDED)
        given = ("logs", "digits", "--state", str(tmp_path))
        whole = (await lab.run(*given)).output.splitlines()
        second = (await lab.run(*given, "--attempt", "2", "--json")).output
        last = (await lab.run(*given, "--tail", "1")).output.splitlines()

    assert whole == [
        "loading", "\ufffd[31mkilled", "attempt 2", "resumed", "epoch 4/10  step 30  loss 0.2500  accuracy 0.900",
    ]  # fmt: skip
    assert json.loads(second) == {"attempt": 2, "line": "resumed"}
    assert last == whole[-1:]


async def test_an_attempt_that_there_was_not_is_an_error(tmp_path):
    said(tmp_path, 2, "resumed")
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", SUCCEEDED)
        found = await lab.run("logs", "digits", "--state", str(tmp_path), "--attempt", "7")

    assert isinstance(found.exception, NoOutput)
    assert str(found.exception).endswith("has had 2 attempts, and none of the number 7")


async def test_following_ends_with_the_job_and_misses_nothing(tmp_path, capsys):
    said(tmp_path, 2, "one")
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", RUNNING)
        listening = Listening(tmp_path, follow=True)
        following = asyncio.create_task(show_output(Jobs(lab.api, lab.namespace), "digits", listening))
        async with asyncio.timeout(20):
            while "one" not in (seen := capsys.readouterr().out):  # noqa: ASYNC110  # as a user would look
                await asyncio.sleep(0.01)
        said(tmp_path, 2, "two")
        progressed(tmp_path, 5)
        await lab.status("digits", SUCCEEDED)
        said(tmp_path, 2, "three")
        await asyncio.wait_for(following, 20)

    lines = [line for line in (seen + capsys.readouterr().out).splitlines() if not line.startswith("epoch")]
    assert lines[:3] == ["attempt 2", "one", "two"]


async def test_a_job_without_a_run_says_what_it_is_instead(tmp_path):
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits")
        found = await lab.run("logs", "digits", "--state", str(tmp_path))

    assert isinstance(found.exception, NoOutput)
    assert str(found.exception) == f"{lab.namespace}/digits has no run yet: it is Pending"


def pod(lab, name, *, attempt, containers=("trainer",)):
    labels = {"ai.windlass.dev/run": RUN["id"], "ai.windlass.dev/attempt": str(attempt)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": lab.namespace, "labels": labels},
        "spec": {"containers": [{"name": one, "image": "i"} for one in containers]},
    }


class Kubelet:
    """Answers for the logs of Pods, which neither server keeps; the rest of the API stays where it is."""

    def __init__(self):
        self.asked = []

    async def answer(self, request):
        self.asked.append((request.match_info["name"], dict(request.query)))
        if request.match_info["name"] == "gone":
            return web.json_response({"kind": "Status", "code": 404, "reason": "NotFound"}, status=404)
        return web.Response(body=f"{request.match_info['name']} says\nhalf a line".encode())


async def listened(lab, kubelet, listening):
    """`show_output` with a client whose Pods' logs are answered by `kubelet`."""
    application = web.Application()
    application.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/log", kubelet.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0]
        async with Client(Cluster(f"http://{host}:{port}")) as logs:
            jobs = Jobs(_Two(lab.api, Api(logs)), lab.namespace)
            return await show_output(jobs, "digits", listening)
    finally:
        await runner.cleanup()


class _Two:
    """One server has the objects, another the logs."""

    def __init__(self, objects, logs):
        self.get, self.list, self.client = objects.get, objects.list, logs.client


@pytest.mark.parametrize("follow", [False, True])
async def test_pods_of_the_run_are_read_and_told_apart(follow, tmp_path, capsys):
    kubelet = Kubelet()
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", SUCCEEDED)
        await lab.api.create(Pod, pod(lab, "b-0", attempt=2))
        await lab.api.create(Pod, pod(lab, "a-0", attempt=10, containers=("sidecar", "trainer")))
        code = await listened(lab, kubelet, Listening(tmp_path / "none", tail=9, follow=follow))

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert sorted(lines) == ["a-0  a-0 says", "a-0  half a line", "b-0  b-0 says", "b-0  half a line"]
    wanted = {"tailLines": "9", **({"follow": "true"} if follow else {})}
    assert sorted(kubelet.asked) == [
        ("a-0", wanted | {"container": "sidecar"}),
        ("b-0", wanted | {"container": "trainer"}),
    ]
    if not follow:
        assert lines[0].startswith("b-0"), "the second attempt before the tenth"


async def test_a_container_that_a_pod_has_not_and_a_pod_that_is_gone_are_named(tmp_path, capsys):
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", SUCCEEDED)
        await lab.api.create(Pod, pod(lab, "gone", attempt=2))
        with pytest.raises(NoOutput, match=r"Pod .*/gone has no container 'x'; it has trainer"):
            await listened(lab, Kubelet(), Listening(tmp_path / "none", container="x"))
        with pytest.raises(NoOutput, match=r"Pod .*/gone is gone, and its log with it"):
            await listened(lab, Kubelet(), Listening(tmp_path / "none", attempt=2))
