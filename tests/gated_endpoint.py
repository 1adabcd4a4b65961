"""An endpoint whose one model waits at a gate, so that a test decides what is running and what waits.

A test module writes `from gated_endpoint import asked, asking, begun, gated, waiting`. Tests that use it are marked
`realtime`.
"""

import asyncio
import contextlib
import threading

import aiohttp

from windlass.serving import Endpoint, EndpointOptions, Limits, ModelRepository, Policy, TensorSpec

__all__ = ("INFER", "asked", "asking", "begun", "body", "gated", "waiting")

INFER = "/v2/models/gated/infer"


class Gated:
    """Doubles its rows once the gate is open; zeros, as the warm-up sends, pass at any time."""

    name, version, platform = "gated", "1", "test_test"
    inputs = outputs = (TensorSpec("x", "FP64", (-1, 1)),)

    def __init__(self):
        self.gate = threading.Event()
        self.calls = []

    def predict(self, inputs, /):
        if inputs["x"].any():
            self.calls.append(inputs["x"].ravel().tolist())
            assert self.gate.wait(30)
            if 13.0 in inputs["x"]:
                raise ZeroDivisionError("thirteen")
        return {"x": inputs["x"] * 2}


def body(*values, **fields):
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(values), 1], "data": list(values)}
    return {"inputs": [tensor], **fields}


@contextlib.asynccontextmanager
async def gated(*, batching=None, limits=None, **options):
    """The endpoint, a client and the model; on leaving, the gate is opened."""
    model, repository = Gated(), ModelRepository()
    loaded = repository.add("gated", model, policy=Policy(limits or Limits(), batching))
    # Measured on zeros it looks fast; the tests want it in a thread.
    object.__setattr__(loaded, "inline_elements", -1)
    object.__setattr__(loaded, "direct", False)
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(threads=1, **options))
    connector = aiohttp.TCPConnector(limit=0)
    async with endpoint, aiohttp.ClientSession(endpoint.url, connector=connector) as session:
        try:
            yield endpoint, session, model
        finally:
            model.gate.set()


async def asked(session, *values, headers=None, **fields):
    """Status, content and headers of the answer for these rows."""
    async with session.post(INFER, json=body(*values, **fields), headers=headers) as response:
        return response.status, await response.json(), response.headers


def asking(session, *values, **kwargs):
    return asyncio.create_task(asked(session, *values, **kwargs))


async def waiting(endpoint, count):
    """Return when so many requests wait."""
    value = endpoint.metrics.registry.get_sample_value
    while value("windlass_serving_queue_requests", {"model": "gated"}) != count:  # noqa: ASYNC110  (clients cause it)
        await asyncio.sleep(0.005)


async def begun(model, count=1):
    """Return when so many executions have begun."""
    while len(model.calls) < count:  # noqa: ASYNC110  (a thread appends to it)
        await asyncio.sleep(0.005)
