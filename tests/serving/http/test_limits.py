"""Clients that dawdle, in each way that raw sockets allow: they are cut off, and the others notice nothing."""

import asyncio
import contextlib
import gc
import json
import math
import resource
import ssl

import aiohttp
import attrs
import numpy as np
import pytest
from certificates import Authority
from gated_endpoint import asked, begun, body, gated, waiting

from windlass.serving import (
    ConnectionLimits,
    Endpoint,
    EndpointError,
    EndpointOptions,
    ModelRepository,
    TensorSpec,
    TlsFiles,
)

pytestmark = pytest.mark.realtime

QUICK = ConnectionLimits(head_seconds=0.4, idle_seconds=0.8, body_seconds=0.5, stall_seconds=0.4)
POST = b"POST /v2/models/gated/infer HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@contextlib.asynccontextmanager
async def opened(endpoint, **kwargs):
    host, port = endpoint.url.split("//")[1].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), **kwargs)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def seconds_until_closed(reader):
    """What arrives until the connection ends, and after how long."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(ConnectionError):
        content = await reader.read()
        return loop.time() - began, content
    return loop.time() - began, b""


async def connections(endpoint, wanted):
    """Return once the endpoint has so many."""
    while len(endpoint._runner.server.connections) != wanted:  # noqa: ASYNC110  (the endpoint ends them)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("first", [True, False], ids=["first request", "a later one"])
async def test_a_head_that_trickles_is_cut_off_and_the_time_is_not_that_of_its_last_byte(first):
    """Slow loris: a byte now and then keeps no connection."""
    limits = attrs.evolve(QUICK, idle_seconds=50.0)
    async with gated(connections=limits) as (endpoint, *_), opened(endpoint) as (reader, writer):
        if not first:
            writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b'{"live":true}')

        async def trickle():
            for byte in POST + b"X: " + b"a" * 5000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        took, _ = await seconds_until_closed(reader)
        trickling.cancel()
        assert 0.1 < took < 10
        await connections(endpoint, 0)


@pytest.mark.parametrize("sent", [b"", b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["never", "once"])
async def test_a_connection_that_asks_nothing_is_closed_after_the_idle_time(sent):
    """DB26."""
    async with gated(connections=QUICK) as (endpoint, *_), opened(endpoint) as (reader, writer):
        writer.write(sent)
        took, content = await seconds_until_closed(reader)
        assert (0.4 < took < 10, content.endswith(b'{"live":true}')) == (True, bool(sent))


async def test_a_handshake_that_is_not_finished_is_cut_off(tmp_path):
    certificate, key = Authority(tmp_path).issue("/CN=server", names="IP:127.0.0.1")
    options = EndpointOptions(connections=QUICK, tls=TlsFiles(certificate, key))
    async with Endpoint(ModelRepository(), port=0, options=options) as endpoint, opened(endpoint) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00")  # the beginning of a ClientHello
        took, _ = await seconds_until_closed(reader)
        assert 0.1 < took < 10
        context = ssl.create_default_context(cafile=tmp_path / "tests.crt")
        async with opened(endpoint, ssl=context) as (answer, asking):
            asking.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" in await answer.readline()


@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunks"])
async def test_a_body_that_trickles_is_408_and_gives_its_room_back(announced):
    """Whatever it announced was kept for it, so that time is short."""
    async with gated(connections=QUICK, all_bodies_bytes_max=1000) as (endpoint, session, model):
        model.gate.set()
        async with opened(endpoint) as (reader, writer):
            writer.write(
                POST + (b"Content-Length: 900\r\n\r\n " if announced else b"Transfer-Encoding: chunked\r\n\r\n")
            )

            async def trickle():
                while True:
                    writer.write(b" " if announced else b"1\r\n \r\n")
                    await asyncio.sleep(0.05)

            trickling = asyncio.create_task(trickle())
            assert b"408" in await reader.readline()
            trickling.cancel()
        assert (await asked(session, *[1.0] * 50))[0] == 200


async def test_one_connection_too_many_is_told_so_and_the_others_go_on():
    limits = ConnectionLimits(connections_max=3)
    async with gated(connections=limits) as (endpoint, _, model), contextlib.AsyncExitStack() as stack:
        model.gate.set()
        held = [await stack.enter_async_context(opened(endpoint)) for _ in range(3)]
        await connections(endpoint, 3)
        async with opened(endpoint) as (reader, _):
            head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        assert b"503 Service Unavailable" in head
        assert b"Retry-After: 1" in head
        assert json.loads(content) == {"error": "the server has as many connections as it may have"}
        reader, writer = held[0]
        content = json.dumps(body(1.0)).encode()
        writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        assert b"200" in await reader.readline()
        held[1][1].close()
        await connections(endpoint, 2)
        async with opened(endpoint) as (reader, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" in await reader.readline()


class Wide:
    """Answers so much that no buffer takes it whole."""

    name, version, platform = "wide", "1", "test_test"
    inputs = (TensorSpec("x", "FP64", (-1, 1)),)
    outputs = (TensorSpec("y", "FP64", (-1, 4_000_000)),)

    def predict(self, inputs, /):
        return {"y": np.zeros((len(inputs["x"]), 4_000_000))}


@pytest.mark.parametrize("closing", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_that_nobody_takes_is_dropped_and_one_that_is_taken_slowly_is_not(closing):
    repository = ModelRepository()
    repository.add("wide", Wide())
    content = json.dumps({**body(1.0), "parameters": {"binary_data_output": True}}).encode()
    head = POST.replace(b"gated", b"wide") + closing
    # Long enough for a busy machine not to look like a client that takes nothing.
    options = EndpointOptions(connections=attrs.evolve(QUICK, stall_seconds=1.0))
    async with Endpoint(repository, port=0, options=options) as endpoint:
        # The reader stops taking after some hundred bytes, so the rest stays with the endpoint.
        async with opened(endpoint, limit=100) as (reader, writer):
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            await reader.readline()
            await connections(endpoint, 0)
        if closing:
            return
        async with opened(endpoint, limit=2**20) as (reader, writer):
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            received = 0
            while received < 32_000_000:
                part = await reader.read(2**20)
                assert part
                received += len(part)
                await asyncio.sleep(0.05)
        await connections(endpoint, 0)


async def test_many_who_dawdle_cost_little_and_hold_up_nobody():
    """300 heads and 200 bodies that never end; what is answered meanwhile is answered at once."""
    limits = ConnectionLimits(head_seconds=30.0, body_seconds=30.0)
    async with gated(connections=limits) as (endpoint, session, model), contextlib.AsyncExitStack() as stack:
        model.gate.set()
        gc.collect()
        before = _resident()
        for index in range(500):
            _, writer = await stack.enter_async_context(opened(endpoint))
            writer.write(POST + (b"X: " if index < 300 else b"Content-Length: 1000\r\n\r\n{"))
        await connections(endpoint, 501 if session.connector._conns else 500)
        assert (await asked(session, 1.0))[0] == 200
        # Both ends of each connection are in this process.
        assert _resident() - before < 100 * 2**20


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"X: " + b"a" * 20_000 + b"\r\n", b"400"),
        (b"".join(b"X%d: a\r\n" % number for number in range(300)), b"400"),
        (b"Content-Length: 99999999999\r\n", b"413"),
    ],
    ids=["long header", "many headers", "large body"],
)
async def test_what_is_oversized_is_refused_at_once_and_the_connection_closed(sent, status):
    """R10, R11. What is left of the body is read for a moment, so that the client sees the answer."""
    async with gated(connections=QUICK) as (endpoint, *_), opened(endpoint) as (reader, writer):
        writer.write(POST + sent + b"\r\n")
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        assert status in head.split(b"\r\n")[0]
        assert json.loads(content)["error"]


@pytest.mark.parametrize("path", ["/v2/models/gated/infer", "/v1/models/gated:predict"])
async def test_a_client_that_hangs_up_takes_its_waiting_work_along(path):
    """DB17, DB21: without a word, in each protocol."""
    content = json.dumps({**body(2.0), "instances": [[2.0]]}).encode()
    async with gated() as (endpoint, session, model):
        first = asyncio.create_task(asked(session, 1.0))
        await begun(model)
        async with opened(endpoint) as (_, writer):
            head = POST.replace(b"/v2/models/gated/infer", path.encode())
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            await waiting(endpoint, 1)
        await waiting(endpoint, 0)
        model.gate.set()
        assert ((await first)[0], model.calls) == (200, [[1.0]])


@pytest.mark.parametrize("name", ["head_seconds", "idle_seconds", "body_seconds", "stall_seconds"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_times_that_cannot_be_meant_are_refused(name, value):
    with pytest.raises(EndpointError, match=f"^{name}: expected a number of seconds above 0"):
        ConnectionLimits(**{name: value})


def test_no_connections_at_all_cannot_be_meant():
    with pytest.raises(EndpointError, match=r"^connections_max: expected at least 1, found 0"):
        ConnectionLimits(connections_max=0)


async def test_the_limits_hold_up_no_ordinary_client():
    async with gated(connections=attrs.evolve(QUICK, idle_seconds=5.0)) as (endpoint, _, model):
        model.gate.set()
        async with aiohttp.ClientSession(endpoint.url) as session:
            loop = asyncio.get_running_loop()
            until = loop.time() + 1.2
            while loop.time() < until:
                assert (await asked(session, 1.0))[0] == 200
                await asyncio.sleep(0.1)
