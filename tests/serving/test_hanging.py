"""A model that hangs in a thread is told apart, and the others go on."""

import asyncio

import aiohttp
import pytest
from gated_endpoint import Gated, asked, asking, begun

from windlass.serving import Batching, Endpoint, EndpointOptions, Limits, LinearModel, ModelRepository, Policy

pytestmark = pytest.mark.realtime

LIMIT = Limits(timeout_seconds=0.3)


def threaded(repository, name, model, policy):
    loaded = repository.add(name, model, policy=policy)
    object.__setattr__(loaded, "inline_elements", -1)
    object.__setattr__(loaded, "direct", False)


@pytest.mark.parametrize("batching", [None, Batching()], ids=["one by one", "batching"])
async def test_a_model_that_hangs_refuses_and_the_others_go_on(batching, caplog):
    """Point 2 of the endpoint: a hang is contained. With one thread, the hang would be everybody's."""
    model, repository = Gated(), ModelRepository()
    threaded(repository, "gated", model, Policy(LIMIT, batching))
    threaded(repository, "linear", LinearModel(), Policy())
    options = EndpointOptions(threads=1)
    async with (
        Endpoint(repository, port=0, options=options) as endpoint,
        aiohttp.ClientSession(endpoint.url) as session,
    ):
        try:
            first = asking(session, 1.0)
            await begun(model)
            second = asking(session, 2.0)
            assert (await first)[0] == 504
            assert (await second)[0] in (503, 504)
            while (answer := await asked(session, 3.0))[0] != 503:
                assert answer[0] == 504
            assert answer[1] == {"error": "model 'gated' version 1: 1 of its executions hang, for over 0.3 s"}
            assert answer[2]["Retry-After"]
            for path, status in (("/v2/models/gated/ready", 503), ("/v2/models/linear/ready", 200)):
                async with session.get(path) as response:
                    assert response.status == status
            async with session.post("/predict", json={"x": 2.5}) as response:
                assert await response.json() == {"prediction": -0.5}
            assert "model gated: 1 of its executions hang" in caplog.text
        finally:
            model.gate.set()
        while (await asked(session, 5.0))[0] != 200:  # noqa: ASYNC110  (a thread brings it about)
            await asyncio.sleep(0.01)
