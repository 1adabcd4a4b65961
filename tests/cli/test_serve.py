import asyncio
import json

import aiohttp
import numpy as np
import pytest
from programs import WINDLASS, run, running
from tritonclient.grpc.aio import InferenceServerClient

from windlass.operators.training.export import Trained, as_onnx
from windlass.operators.training.publish import Artefact, publish

pytestmark = pytest.mark.realtime

SERVE = (*WINDLASS, "serve", "--port", "0")


def publish_model(models, run_id, bias):
    """A classifier of two features that always says the class with the larger bias: 4 or 7."""
    linear = Trained.linear(np.zeros((2, 2)), np.array(bias), np.array([4, 7]), 1.0)
    return publish(models, "always", Artefact(run_id, as_onnx(linear), labels=("4", "7")))


async def label(session, url):
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 0.5]}
    async with session.post(f"{url}/v2/models/always/infer", data=json.dumps({"inputs": [tensor]})) as response:
        if response.status != 200:
            return response.status
        outputs = (await response.json())["outputs"]
    return next(output["data"][0] for output in outputs if output["name"] == "label")


async def label_becomes(session, url, wanted):
    async with asyncio.timeout(10):
        while await label(session, url) != wanted:  # noqa: ASYNC110  # another process changes the answer
            await asyncio.sleep(0.05)


async def test_a_repository_is_served_and_watched_until_ctrl_c(tmp_path):
    publish_model(tmp_path / "models", "run-1", [1.0, 0.0])
    arguments = ("models", "--example")
    async with running(*SERVE, *arguments, cwd=tmp_path) as program, aiohttp.ClientSession() as session:
        url = (await program.line("endpoint")).split()[-1]
        await label_becomes(session, url, 4)
        publish_model(tmp_path / "models", "run-2", [0.0, 1.0])
        await label_becomes(session, url, 7)
        async with session.post(f"{url}/predict", data='{"x": 2.5}') as response:
            assert (response.status, await response.json()) == (200, {"prediction": -0.5})
        program.interrupt()
        ended = await program.end(seconds=5)

    assert (ended.code, ended.err) == (0, "stopping in order; a second Ctrl-C ends it at once\n")


async def test_a_repository_may_appear_later(tmp_path):
    async with running(*SERVE, "--models", "models", cwd=tmp_path) as program, aiohttp.ClientSession() as session:
        url = (await program.line("endpoint")).split()[-1]
        assert await label(session, url) == 404
        publish_model(tmp_path / "models", "run-1", [0.0, 1.0])
        await label_becomes(session, url, 7)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--models", "file"), 2, "Invalid value for '--models': Directory 'file' is a file."),
        (("--host", "192.0.2.1"), 1, "cannot listen on 192.0.2.1:0: cannot assign requested address"),
        (("--port", "-1"), 2, "Invalid value for '--port'"),
    ],
)
async def test_what_cannot_be_served_is_one_line(options, code, says, tmp_path):
    (tmp_path / "file").touch()
    ended = await run(*SERVE, *options, cwd=tmp_path)

    assert (ended.code, ended.err.count("\n")) == (code, 1)
    assert ended.err.startswith(f"windlass: {says}")


async def test_the_models_are_there_over_grpc_when_a_port_is_given(tmp_path):
    async with running(*SERVE, "--grpc-port", "0", cwd=tmp_path) as program:
        address = (await program.line("gRPC")).split()[-1]
        async with InferenceServerClient(address) as client:
            assert await client.is_model_ready("linear")
