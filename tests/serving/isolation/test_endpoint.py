"""Isolated models behind an endpoint: what one does to itself is seen by its own requests alone."""

import asyncio
import contextlib
import json
import os
import signal

import aiohttp
import pytest

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.repository.options import RepositoryOptions

pytestmark = pytest.mark.realtime

CODE = b'{"object": "misbehaving:Misbehaving"}'


@contextlib.asynccontextmanager
async def serving(root, **options):
    repository = ModelRepository(root, options=RepositoryOptions(allow_code=True), required=("wild",))
    repository.add("linear", LinearModel())
    await repository.refresh()
    assert [entry.reason for entry in repository.index() if entry.reason] == []
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(threads=1, **options))
    try:
        async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
            yield repository, session
    finally:
        repository.close()


def infer(session, value, name="wild", **headers):
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [value]}]}
    return session.post(f"/v2/models/{name}/infer", json=body, headers=headers)


async def asked(session, value, name="wild", **headers):
    async with infer(session, value, name, **headers) as response:
        return response.status, await response.json()


async def status(session, path):
    async with session.get(path) as response:
        return response.status


async def ready(session):
    while await status(session, "/v2/models/wild/ready") != 200:  # noqa: ASYNC110  (the model's thread brings it about)
        await asyncio.sleep(0.01)


async def answered(session):
    """The answer of the process that comes after the one that was killed."""
    while (answer := await asked(session, 10))[0] != 200:  # noqa: ASYNC110  (the model's thread brings it about)
        await asyncio.sleep(0.01)
    return answer


def pid_in(answer):
    return next(one["data"][0] for one in answer[1]["outputs"] if one["name"] == "pid")


async def gone(pid):
    while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110  (the process brings it about)
        await asyncio.sleep(0.01)


async def test_a_crash_and_a_kill_fail_their_request_and_the_model_comes_back(tmp_path, publish):
    publish(tmp_path, "wild", 1, CODE, format="python", isolation={"backoff_seconds": 0.0})
    async with serving(tmp_path) as (_, session):
        first = pid_in(await asked(session, 10))
        assert await asked(session, 1) == (
            500, {"error": "model 'wild' version 1: its process was killed by SIGABRT"}
        )  # fmt: skip
        assert (await asked(session, 2.5, "linear"))[0] == 200
        await ready(session)
        second = pid_in(await asked(session, 10))
        assert second != first
        os.kill(second, signal.SIGKILL)  # while it is idle
        await gone(second)
        assert pid_in(await answered(session)) not in (first, second)


async def test_a_hang_is_a_504_at_the_requests_own_deadline_and_costs_no_other_model_its_thread(tmp_path, publish):
    isolation = {"execution_seconds": 3600.0, "backoff_seconds": 0.0}
    publish(tmp_path, "wild", 1, CODE, format="python", isolation=isolation)
    async with serving(tmp_path) as (repository, session):
        pid = pid_in(await asked(session, 10))
        coded = repository.get("linear")
        object.__setattr__(coded, "inline_elements", -1)  # into the one thread that all models share
        hanging = [asyncio.create_task(asked(session, 2, **{"X-Request-Timeout-Ms": "200"})) for _ in range(3)]
        answers = [(await one)[0] for one in hanging]
        assert answers == [504] * 3
        assert (await asked(session, 2.5, "linear"))[0] == 200
        os.kill(pid, signal.SIGKILL)  # until now it hung
        assert pid_in(await answered(session)) != pid


async def test_readiness_and_the_index_say_that_a_model_is_being_replaced(tmp_path, publish):
    """R3; and R2, where the model is required."""
    isolation = {"backoff_seconds": 3600.0, "backoff_seconds_max": 3600.0}
    publish(tmp_path, "wild", 1, CODE, format="python", isolation=isolation)
    async with serving(tmp_path) as (repository, session):
        for _ in range(2):
            await ready(session)
            assert (await asked(session, 6))[0] == 500
        while "exit code 7" not in (repository.get("wild").not_ready_because() or ""):  # noqa: ASYNC110  (as above)
            await asyncio.sleep(0.01)
        why = "its process ended with exit code 7 and is being replaced"
        answer = await asked(session, 10)
        assert answer == (503, {"error": f"model 'wild' version 1: {why}"})
        assert await status(session, "/v2/models/wild/ready") == 503
        assert await status(session, "/v2/health/ready") == 503
        assert await status(session, "/v2/models/linear/ready") == 200
        async with session.post("/v2/repository/index") as response:
            entries = {one["name"]: one for one in await response.json()}
        assert entries["wild"] == {"name": "wild", "version": "1", "state": "UNAVAILABLE", "reason": why}


async def test_a_version_that_crashes_while_it_loads_leaves_the_old_one(tmp_path, publish):
    """W7, W8."""
    publish(tmp_path, "wild", 1, CODE, format="python", isolation="process")
    async with serving(tmp_path) as (repository, session):
        pid = pid_in(await asked(session, 10))
        publish(
            tmp_path,
            "wild",
            2,
            json.dumps({"object": "misbehaving:crashing"}).encode(),
            format="python",
            isolation="process",
        )
        await repository.refresh()
        assert pid_in(await asked(session, 10)) == pid
        assert "killed by SIGABRT while it loaded the model" in repository.index()[-1].reason
        async with session.get("/metrics") as response:
            assert 'windlass_serving_model_loads_total{model="wild",outcome="failed"} 1.0' in await response.text()
        await repository.unload("wild")
        await gone(pid)


async def test_code_in_a_folder_is_refused_unless_the_server_allows_it(tmp_path, publish):
    publish(tmp_path, "wild", 1, CODE, format="python")
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    assert repository.index()[0].reason == "format 'python' is unknown; known: ensemble, linear, onnx"
