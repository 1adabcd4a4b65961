"""Thousands of requests that are wrong in every way, over HTTP and gRPC: no 5xx, no hang, no growing memory.

`WINDLASS_FUZZ_REQUESTS` and `WINDLASS_SEED` make it longer, or another one.
"""

import asyncio
import io
import logging
import math
import os
import random
import resource
from collections import Counter

import aiohttp
import grpc
import pytest
from bombs import SPECS, bomb
from seeds import announced_seed
from yarl import URL

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.grpc.messages import message
from windlass.serving.grpc.service import SERVICE
from windlass.serving.tensors import DATATYPES

pytestmark = pytest.mark.realtime(limit=3600)

REQUESTS = int(os.environ.get("WINDLASS_FUZZ_REQUESTS", "4000"))
CLIENTS = 8
# What one answer may take on a busy machine: far above what any does, far below for ever.
PATIENCE_SECONDS = 60
GROWTH_MAX_BYTES = 300 * 2**20


@pytest.fixture
def rng():
    return random.Random(announced_seed())


def models(echo):
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    for name, specs in SPECS.items():
        repository.add(name, echo(*specs))
    return repository


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def shoot(session, base, made):
    """The status of the answer, once it has proven to be in order.

    A connection that is used again may be closed at that moment, as after a body that broke off; then a second try, on
    another connection, must be answered.
    """
    try:
        return await shoot_once(session, base, made)
    except aiohttp.ServerDisconnectedError:
        return await shoot_once(session, base, made)
    except TimeoutError:
        pytest.fail(f"no answer within {PATIENCE_SECONDS} s: {made}")


async def shoot_once(session, base, made):
    url = URL(f"{base}{made.path}", encoded=True)
    async with session.request(made.method, url, data=io.BytesIO(made.body), headers=made.headers) as response:
        assert response.status < 500, (made, await response.text())
        if response.status >= 400:
            assert response.content_type == "application/json", (made, response.status)
            if made.method != "HEAD":
                content = await response.json()
                assert list(content) == ["error"], (made, content)
        else:
            await response.read()
        return response.status


async def test_no_request_ends_in_a_5xx_or_in_nothing(echo, rng, caplog):
    """R9, R10, R11."""
    caplog.set_level(logging.CRITICAL, "aiohttp.server")  # it logs what it refuses, and pytest keeps all of it
    bombs = (bomb(rng) for _ in range(REQUESTS))
    statuses: Counter[int] = Counter()
    before = peak_bytes()

    async def client(session, base):
        for made in bombs:
            statuses[await shoot(session, base, made)] += 1

    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with (
        Endpoint(models(echo), port=0) as endpoint,
        aiohttp.ClientSession(timeout=timeout, skip_auto_headers=("Accept-Encoding",)) as session,
    ):
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(client(session, endpoint.url))
        async with session.get(f"{endpoint.url}/v2/health/ready") as response:
            assert response.status == 200
    assert statuses.total() == REQUESTS
    # Were they all refused at the door, nothing behind it would have been tried.
    assert statuses[200] > REQUESTS / 10, statuses
    assert statuses[400] > REQUESTS / 10, statuses
    assert peak_bytes() - before < GROWTH_MAX_BYTES
    print(dict(statuses))


Request = message("ModelInferRequest")
EXPECTED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


def shell(rng):
    """A `ModelInferRequest`: half of them are good, the others are bent in their shapes, tensors or bytes."""
    name, specs = rng.choice(list(SPECS.items()))
    good = rng.random() < 0.5
    request = Request(model_name=name)
    for spec in specs:
        sizes = (1, 2) if good else (1, 2, 0, -1, 2**62)
        # The rows of a batch are as many in each input: one.
        sizes = (1,) if good and name == "mixed" else sizes
        shape = [rng.choice(sizes) if size == -1 else size for size in spec.shape]
        request.inputs.add(name=spec.name, datatype=spec.datatype, shape=shape)
        # Zeros are good numbers, and the lengths of empty strings, which take four bytes each.
        size = 4 if spec.datatype == "BYTES" else DATATYPES[spec.datatype].itemsize
        blob = bytes(max(0, math.prod(shape)) % 100 * size)
        request.raw_input_contents.append(blob if good else rng.randbytes(rng.choice((1, 2, 4, 8, 16, 64))))
    if not good and rng.random() < 0.5:
        del request.raw_input_contents[:]
        rng.choice(request.inputs).contents.fp32_contents.extend([0.5] * rng.randrange(4))
    raw = bytearray(request.SerializeToString())
    for _ in range(0 if good else rng.randrange(4)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


async def test_no_message_ends_in_an_internal_error_or_in_nothing(echo, rng):
    """G1, G5."""
    codes: Counter[grpc.StatusCode] = Counter()
    options = EndpointOptions(grpc_port=0)
    async with (
        Endpoint(models(echo), port=0, options=options) as endpoint,
        grpc.aio.insecure_channel(endpoint.grpc_address) as channel,
    ):
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        for _ in range(REQUESTS // 4):
            raw = shell(rng)
            call = infer(raw, timeout=PATIENCE_SECONDS)
            code = await call.code()
            assert code in EXPECTED, (raw, await call.details())
            codes[code] += 1
    assert codes[grpc.StatusCode.OK] > REQUESTS / 16, codes
    assert codes[grpc.StatusCode.INVALID_ARGUMENT] > REQUESTS / 16, codes
    print({code.name: count for code, count in codes.items()})
