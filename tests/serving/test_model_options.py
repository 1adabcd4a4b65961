"""The program with its options about models, as a client sees it."""

import asyncio
import json

import aiohttp
import pytest
from programs import WINDLASS, running

A = {"name": "a", "datatype": "FP64", "shape": [-1]}
CODE = json.dumps({"object": "numpy:sort", "inputs": [A], "outputs": [{**A, "name": "sorted"}]}).encode()


def index_of(entries):
    return {(one["name"], one["version"]): one["state"] for one in entries if one["name"] == "m"}


@pytest.mark.realtime
async def test_a_program_loads_on_request_and_serves_versions_side_by_side(tmp_path, publish):
    for version in (1, 2):
        publish(tmp_path / "models", "m", version, CODE, format="python")
    options = ("--versions", "2", "--on-request", "--allow-code", "--repository-control")
    arguments = (*WINDLASS, "serve", "--port", "0", "--models", "models", *options)
    async with running(*arguments, cwd=tmp_path) as program:
        url = (await program.line("endpoint")).split()[-1]
        async with aiohttp.ClientSession(url) as session:

            async def asked(path, body=None):
                async with session.post(path, json=body) as response:
                    return response.status, await response.json()

            while index_of((await asked("/v2/repository/index"))[1]) == {}:  # noqa: ASYNC110  (the first scan)
                await asyncio.sleep(0.02)
            tensor = {**A, "shape": [3], "data": [3, 1, 2]}
            assert (await asked("/v2/models/m/infer", {"inputs": [tensor]}))[0] == 503
            assert await asked("/v2/repository/models/m/load") == (200, {})
            assert index_of((await asked("/v2/repository/index"))[1]) == {("m", "1"): "READY", ("m", "2"): "READY"}
            status, content = await asked("/v2/models/m/versions/1/infer", {"inputs": [tensor]})
            assert (status, content["outputs"][0]["data"]) == (200, [1, 2, 3])
        program.interrupt()
        assert (await program.end()).code == 0
