"""Under load at four fifths of what the endpoint can do, a model is reloaded again and again, and no request fails.

WINDLASS_RELOAD_SECONDS=120 makes the reloads slow and the test long; in an ordinary run they follow each other.
"""

import asyncio
import os

import aiohttp
import numpy as np
import pytest
import tritonclient.grpc.aio as triton

from windlass.serving import Endpoint, EndpointOptions, ModelRepository

SECONDS = float(os.environ.get("WINDLASS_RELOAD_SECONDS", "0"))
RELOADS = 100
CLIENTS = 4

pytestmark = pytest.mark.realtime(limit=120 + 3 * SECONDS)


class Traffic:
    """Clients that ask over both protocols and look at each answer: its number is that of the version that it names."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self.answers, self.versions, self.wrong = 0, set(), []
        self.pause = 0.0
        self.ended = False

    async def run(self):
        async with aiohttp.ClientSession(self._endpoint.url) as session:
            client = triton.InferenceServerClient(self._endpoint.grpc_address)
            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(CLIENTS // 2):
                        tasks.create_task(self._ask(lambda: self._http(session)))
                        tasks.create_task(self._ask(lambda: self._grpc(client)))
            finally:
                await client.close()

    async def _ask(self, one):
        while not self.ended:
            try:
                version, value = await one()
                if float(version) != value:
                    self.wrong.append((version, value))
                self.versions.add(version)
            except Exception as error:
                self.wrong.append(error)
            self.answers += 1
            await asyncio.sleep(self.pause)

    async def _http(self, session):
        body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [0]}]}
        async with session.post("/v2/models/m/infer", json=body) as response:
            content = await response.json()
            assert response.status == 200, content
            return content["model_version"], content["outputs"][0]["data"][0]

    async def _grpc(self, client):
        x = triton.InferInput("x", [1], "FP64")
        x.set_data_from_numpy(np.zeros(1))
        result = await client.infer("m", [x])
        return result.get_response().model_version, float(result.as_numpy("prediction")[0])

    async def count(self, seconds):
        """Answers in this time."""
        before = self.answers
        await asyncio.sleep(seconds)
        return self.answers - before


def weights(version):
    return b'{"bias": %d, "weight": 0}' % version


async def test_a_hundred_reloads_under_load_fail_no_request(tmp_path, publish):
    """W8: zero errors, and no request sees two versions: each answer is the number of the version that it names."""
    batching = {"rows_max": 16, "always": True}
    publish(tmp_path, "m", 1, weights(1), batching=batching)
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    await repository.refresh()
    async with Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0)) as endpoint:
        traffic = Traffic(endpoint)
        running = asyncio.create_task(traffic.run())
        capacity = await traffic.count(0.5)
        # A client that asks without a pause takes all there is; one that rests a fourth of that time takes four fifths.
        traffic.pause = 0.25 * CLIENTS * 0.5 / max(capacity, 1)
        for version in range(2, RELOADS + 2):
            publish(tmp_path, "m", version, weights(version), batching=batching)
            before = traffic.answers
            await repository.load("m")
            assert repository.get("m").version == str(version)
            while traffic.answers < before + CLIENTS:  # noqa: ASYNC110  (each version is asked at least once)
                await asyncio.sleep(0)
            await asyncio.sleep(SECONDS / RELOADS)
        traffic.ended = True
        await running
        assert traffic.wrong == []
        assert len(traffic.versions) > RELOADS / 2
        while [entry.state for entry in repository.index()] != ["READY"]:  # noqa: ASYNC110  (the last ones let go)
            await asyncio.sleep(0.01)
