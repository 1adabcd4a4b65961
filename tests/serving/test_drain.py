"""A stop loses no request: not those that wait, and not those that are sent for a while after the signal."""

import asyncio
import collections
import signal

import aiohttp
import grpc
import pytest
from gated_endpoint import asking, begun, gated, waiting
from programs import WINDLASS, run, running

from windlass.serving import Batching
from windlass.serving.grpc.messages import message
from windlass.serving.grpc.service import SERVICE

pytestmark = pytest.mark.realtime


async def accepts(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


@pytest.mark.parametrize("batching", [None, Batching(delay_seconds=30.0)], ids=["one by one", "batching"])
async def test_what_waits_when_the_listener_closes_is_still_answered(batching):
    """DB23, DB27: accepted is accepted; and what waits for a thread does not wait for the delay, too."""
    async with gated(batching=batching) as (endpoint, session, model):
        first = asking(session, *[1.0] * 32)
        await begun(model)
        rest = [asking(session, 2.0 + index) for index in range(5)]
        await waiting(endpoint, 5)
        port = int(endpoint.url.rpartition(":")[2])
        stopping = asyncio.create_task(endpoint.stop())
        while await accepts(port):  # noqa: ASYNC110  (the stop ends it)
            await asyncio.sleep(0.005)
        assert endpoint.not_ready_because() == "draining"
        model.gate.set()
        for index, one in enumerate(rest):
            status, content, headers = await one
            assert (status, content["outputs"][0]["data"]) == (200, [4.0 + 2 * index])
            assert headers["Connection"] == "close"
        assert (await first)[0] == 200
        await stopping


async def test_a_process_told_to_end_under_load_loses_no_request(tmp_path, publish, classifier):
    """DB23, DB24: the clients learn of it late, as those behind a Service do."""
    batching = {"rows_max": 16, "delay_seconds": 0.002, "always": True}
    publish(tmp_path, "digits", 1, classifier(), format="onnx", batching=batching)
    arguments = (*WINDLASS, "serve", "--models", str(tmp_path), "--port", "0", "--lame-duck", "4")
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}]}
    loop = asyncio.get_running_loop()
    statuses = []
    until = loop.time() + 3600

    async def client(session):
        while loop.time() < until:
            async with session.post("/v2/models/digits/infer", json=body) as response:
                statuses.append((response.status, response.headers.get("Connection")))
                await response.read()

    async with running(*arguments, cwd=tmp_path) as program:
        url = (await program.line("endpoint")).split()[-1]
        async with aiohttp.ClientSession(url) as session:
            while True:
                async with session.get("/v2/models/digits/ready") as response:
                    if response.status == 200:
                        break
            clients = [asyncio.create_task(client(session)) for _ in range(8)]
            while len(statuses) < 100:  # noqa: ASYNC110  (the clients add to it)
                await asyncio.sleep(0.01)
            program.process.send_signal(signal.SIGTERM)
            while (200, "close") not in statuses:  # noqa: ASYNC110  (the clients add to it)
                await asyncio.sleep(0.01)
            async with session.get("/v2/health/ready") as response:
                assert (response.status, (await response.json())["error"]) == (503, "draining")
            until = loop.time() + 0.5
            await asyncio.gather(*clients)
        ended = await program.end()
    assert ended.code == 0
    assert {status for status, _ in statuses} == {200}


async def test_over_both_protocols_at_once_a_stop_loses_nothing_that_is_sent_meanwhile(tmp_path, publish, classifier):
    """DB23, DB24, DB27: 8 clients of each protocol go on for a while after SIGTERM, streams among them."""
    publish(tmp_path, "digits", 1, classifier(), format="onnx", batching={"delay_seconds": 0.002, "always": True})
    arguments = (*WINDLASS, "serve", str(tmp_path), "--port", "0", "--grpc-port", "0", "--lame-duck", "2")
    values = [0.5] * 64
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": values}]}
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 64], "contents": {"fp32_contents": values}}
    raw = message("ModelInferRequest")(model_name="digits", inputs=[tensor]).SerializeToString()
    loop = asyncio.get_running_loop()
    counts = collections.Counter()
    failures = []
    until = loop.time() + 3600

    async def posting(session):
        while loop.time() < until:
            async with session.post("/v2/models/digits/infer", json=body) as response:
                await response.read()
                counts["http" if response.status == 200 else "failed"] += 1

    async def calling(channel):
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        while loop.time() < until:
            try:
                await call(raw)
                counts["grpc"] += 1
            except grpc.aio.AioRpcError as error:
                failures.append((error.code().name, error.details()))

    async def streaming(channel):
        stream = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")()
        while loop.time() < until:
            await stream.write(raw)
            answer = message("ModelStreamInferResponse").FromString(await stream.read())
            counts["stream" if answer.infer_response.outputs else "failed"] += 1
        await stream.done_writing()

    async with running(*arguments, cwd=tmp_path) as program:
        url = (await program.line("endpoint")).split()[-1]
        address = (await program.line("gRPC")).split()[-1]
        async with aiohttp.ClientSession(url) as session, grpc.aio.insecure_channel(address) as channel:
            while True:
                async with session.get("/v2/health/ready") as response:
                    if response.status == 200:
                        break
            clients = [asyncio.create_task(posting(session)) for _ in range(8)]
            clients += [asyncio.create_task(calling(channel)) for _ in range(6)]
            clients += [asyncio.create_task(streaming(channel)) for _ in range(2)]
            while len(counts) < 3 or min(counts.values()) < 20:  # noqa: ASYNC110  (the clients add to it)
                await asyncio.sleep(0.01)
            program.process.send_signal(signal.SIGTERM)
            before = dict(counts)
            while any(counts[name] < before[name] + 5 for name in before):  # noqa: ASYNC110  (the clients add to it)
                await asyncio.sleep(0.01)
            async with session.get("/v2/health/ready") as response:
                assert response.status == 503
            until = loop.time() + 0.5
            await asyncio.gather(*clients)
        ended = await program.end()
    assert (ended.code, failures, counts["failed"]) == (0, [], 0)


async def test_a_second_signal_ends_a_lame_duck_at_once(tmp_path):
    """DB23."""
    arguments = (*WINDLASS, "serve", "--port", "0", "--grpc-port", "0", "--lame-duck", "50")
    async with running(*arguments, cwd=tmp_path) as program:
        await program.line("endpoint")
        program.process.send_signal(signal.SIGTERM)
        await program.line("stopping in order")
        began = asyncio.get_running_loop().time()
        program.process.send_signal(signal.SIGINT)
        ended = await program.end()
        assert asyncio.get_running_loop().time() - began < 20
    assert ended.code == 130


async def test_a_stop_that_takes_longer_than_the_grace_is_wrong_usage(tmp_path):
    """DB25."""
    ended = await run(*WINDLASS, "serve", "--lame-duck", "25", "--grace", "30", cwd=tmp_path)
    assert ended.code == 2
    assert "grace_seconds: expected more than lame_duck_seconds and drain_seconds together (35), found 30" in ended.err
