"""Bounds, deadlines and streams of gRPC calls, over real sockets: at par with HTTP."""

import asyncio
import contextlib
import math
import struct

import grpc
import pytest
import tritonclient.grpc.aio as triton
from gated_endpoint import asking, begun, gated, waiting

from windlass.serving import Batching, BodyTooSlow, ConnectionLimits, Limits
from windlass.serving.grpc import calls
from windlass.serving.grpc.messages import message
from windlass.serving.grpc.service import SERVICE

pytestmark = pytest.mark.realtime

Request, Response = message("ModelInferRequest"), message("ModelInferResponse")


def raw(*values, **fields):
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(values), 1], "contents": {"fp64_contents": values}}
    return Request(model_name="gated", inputs=[tensor], **fields).SerializeToString()


@contextlib.asynccontextmanager
async def connected(endpoint):
    async with grpc.aio.insecure_channel(endpoint.grpc_address) as channel:
        yield lambda method, message=b"", **kwargs: channel.unary_unary(f"/{SERVICE}/{method}")(message, **kwargs)


@contextlib.asynccontextmanager
async def streaming(endpoint):
    async with grpc.aio.insecure_channel(endpoint.grpc_address) as channel:
        yield channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")()


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code().name, raised.value.details()


def values(answer):
    return list(Response.FromString(answer).outputs[0].contents.fp64_contents)


async def test_one_bound_on_requests_counts_those_of_both_protocols_and_probes_pass():
    """DB15, G5, R1."""
    async with gated(grpc_port=0, requests_max=2) as (endpoint, session, model), connected(endpoint) as call:
        first = asking(session, 1.0)
        await begun(model)
        second = call("ModelInfer", raw(2.0))
        await waiting(endpoint, 1)
        assert await refused(call("ModelInfer", raw(3.0))) == (
            "RESOURCE_EXHAUSTED", "the server answers 2 requests already",
        )  # fmt: skip
        assert (await refused(call("ModelMetadata", b"")))[0] == "RESOURCE_EXHAUSTED"
        await call("ServerLive")
        await call("ServerReady")
        model.gate.set()
        assert (values(await second), (await first)[0]) == ([4.0], 200)
        assert values(await call("ModelInfer", raw(3.0))) == [6.0]


async def test_one_bound_on_bytes_counts_the_bodies_of_both_protocols():
    """DB15, G5."""
    async with gated(grpc_port=0, all_bodies_bytes_max=1000) as (endpoint, session, model), connected(endpoint) as call:
        first = asking(session, *[1.0] * 100)
        await begun(model)
        code, details = await refused(call("ModelInfer", raw(*[2.0] * 100)))
        assert (code, details[:9]) == ("RESOURCE_EXHAUSTED", "bodies of")
        model.gate.set()
        assert (await first)[0] == 200
        assert values(await call("ModelInfer", raw(*[2.0] * 100))) == [4.0] * 100


async def test_a_full_queue_refuses_before_tensors_are_decoded_and_nothing_is_left_counted():
    """DB15, G5."""
    limits = Limits(requests_max=1)
    async with gated(grpc_port=0, limits=limits) as (endpoint, _, model), connected(endpoint) as call:
        first = call("ModelInfer", raw(1.0))
        await begun(model)
        second = call("ModelInfer", raw(2.0))
        await waiting(endpoint, 1)
        spoilt = Request(model_name="gated", inputs=[{"name": "no such input"}]).SerializeToString()
        assert (await refused(call("ModelInfer", spoilt)))[0] == "RESOURCE_EXHAUSTED"
        model.gate.set()
        await asyncio.gather(first, second)
        in_flight = endpoint.metrics.registry.get_sample_value
        while in_flight("windlass_serving_requests_in_flight"):  # noqa: ASYNC110  (the calls end by themselves)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("name", ["timeout", "x-request-timeout-ms"])
async def test_a_deadline_of_the_client_holds_while_the_thread_is_busy_and_its_work_is_never_begun(name):
    """DB11, DB18, G5, G6."""
    async with gated(grpc_port=0, batching=Batching()) as (endpoint, _, model), connected(endpoint) as call:
        first = call("ModelInfer", raw(1.0))
        await begun(model)
        kwargs = {"timeout": 0.4} if name == "timeout" else {"metadata": [(name, "400")]}
        assert (await refused(call("ModelInfer", raw(2.0), **kwargs)))[0] == "DEADLINE_EXCEEDED"
        await waiting(endpoint, 0)
        assert not first.done()
        model.gate.set()
        assert values(await first) == [2.0]
        assert model.calls == [[1.0]]


async def test_a_deadline_of_the_client_never_lengthens_that_of_the_server():
    """DB18."""
    async with gated(grpc_port=0, limits=Limits(timeout_seconds=0.3)) as (endpoint, *_), connected(endpoint) as call:
        assert await refused(call("ModelInfer", raw(1.0), timeout=50)) == (
            "DEADLINE_EXCEEDED", "model 'gated': no answer within the time given",
        )  # fmt: skip


async def test_metadata_that_cannot_be_meant_is_refused_by_its_name():
    async with gated(grpc_port=0) as (endpoint, *_), connected(endpoint) as call:
        metadata = [("x-request-timeout-ms", "soon"), ("not-text-bin", b"\xff")]
        code, details = await refused(call("ModelInfer", raw(0.0), metadata=metadata))
        assert (code, details[:21]) == ("INVALID_ARGUMENT", "X-Request-Timeout-Ms:")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["plain", "gzip"])
async def test_a_message_over_the_limit_is_refused_however_small_it_was_made(compression):
    """G5, B7: what counts is its size after decompression."""
    async with gated(grpc_port=0, max_body_bytes=100_000) as (endpoint, *_), connected(endpoint) as call:
        code, _ = await refused(call("ModelInfer", b"\0" * 20_000_000, compression=compression))
        assert code == "RESOURCE_EXHAUSTED"
        assert values(await call("ModelInfer", raw(0.0), compression=compression)) == [0.0]


async def test_a_call_whose_message_does_not_come_is_given_up():
    """A client that opens calls and sends nothing must not take up what others could use."""
    limits = ConnectionLimits(body_seconds=0.3)
    async with gated(grpc_port=0, requests_max=1, connections=limits) as (endpoint, *_):
        host, port = endpoint.grpc_address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0))
        path = f"/{SERVICE}/ModelInfer".encode()
        fields = {b":method": b"POST", b":scheme": b"http", b":path": path, b":authority": b"a",
                  b"te": b"trailers", b"content-type": b"application/grpc"}  # fmt: skip
        writer.write(_frame(1, 0x4, 1, b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())))
        answer = b""
        while b"grpc-status" not in answer:
            answer += await reader.read(1000)
        assert b"the message did not arrive in time" in answer
        writer.close()
        async with connected(endpoint) as call:
            assert values(await call("ModelInfer", raw(0.0))) == [0.0]


def _frame(kind, flags, stream, content=b""):
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def _text(text):
    return bytes([len(text)]) + text


async def test_a_client_that_is_cut_off_takes_its_work_along():
    """G6: no cancellation arrives; the connection is gone."""
    async with gated(grpc_port=0) as (endpoint, _, model), connected(endpoint) as call:
        first = call("ModelInfer", raw(1.0))
        await begun(model)
        host, port = endpoint.grpc_address.split(":")
        writers = []

        async def forward(reader, writer):
            there, back = await asyncio.open_connection(host, int(port))
            writers.extend((writer, back))
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

        relay = await asyncio.start_server(forward, "127.0.0.1", 0)
        address = f"127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        channel = grpc.aio.insecure_channel(address)
        second = channel.unary_unary(f"/{SERVICE}/ModelInfer")(raw(2.0))
        await waiting(endpoint, 1)
        relay.close()
        for writer in writers:
            writer.transport.abort()
        await waiting(endpoint, 0)
        assert (await refused(second))[0] == "UNAVAILABLE"
        await channel.close()
        model.gate.set()
        assert (values(await first), model.calls) == ([2.0], [[1.0]])


async def _copy(source, target):
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)


async def test_a_stream_answers_each_request_in_order_and_an_error_does_not_end_it():
    """Triton's ModelStreamInfer, by its own client."""
    async with gated(grpc_port=0) as (endpoint, _, model):
        model.gate.set()

        async def requests():
            for index, name in enumerate(("gated", "no such model", "gated")):
                tensor = triton.InferInput("x", [1, 1], "FP64")
                tensor._raw_content = struct.pack("<d", float(index))
                yield {"model_name": name, "inputs": [tensor], "request_id": str(index)}

        async with triton.InferenceServerClient(endpoint.grpc_address) as client:
            found = [one async for one in client.stream_infer(requests())]
        (first, no_error), (failed, error), (last, _) = found
        assert (first.as_numpy("x").tolist(), no_error) == ([[0.0]], None)
        assert ("there is no model" in str(error), last.as_numpy("x").tolist()) == (True, [[4.0]])
        assert [one.get_response().id for one in (first, last)] == ["0", "2"]
        assert failed is None or failed.get_response().id == "1"


async def test_an_idle_stream_and_one_of_a_server_that_drains_are_ended():
    """DB23: a stream that nobody uses does not hold up a stop."""
    limits = ConnectionLimits(idle_seconds=0.3)
    async with gated(grpc_port=0, connections=limits) as (endpoint, *_), streaming(endpoint) as stream:
        code, details = await refused(stream.read())
        assert (code, details) == ("UNAVAILABLE", "no request came for a while; open the stream anew")
    async with gated(grpc_port=0, drain_seconds=30.0) as (endpoint, _, model), streaming(endpoint) as stream:
        model.gate.set()
        await stream.write(raw(1.0))
        assert message("ModelStreamInferResponse").FromString(await stream.read()).infer_response.outputs
        began = asyncio.get_running_loop().time()
        stopping = asyncio.create_task(endpoint.stop())
        code, details = await refused(stream.read())
        assert (code, details) == ("UNAVAILABLE", "the server is draining; open the stream anew")
        await stopping
        assert asyncio.get_running_loop().time() - began < 20


class Context:
    def __init__(self, left=None, messages=()):
        self._left = left
        self._messages = list(messages)

    def time_remaining(self):
        return self._left

    async def read(self):
        return self._messages.pop() if self._messages else await asyncio.sleep(3600)


async def test_without_a_deadline_of_the_client_the_servers_holds():
    """DB18."""
    now = asyncio.get_running_loop().time()
    for left, expected in ((None, 60.0), (1.0, 1.0), (1e9, 60.0), (math.inf, 60.0)):
        found = calls.wish(Context(left), {}, timeout_seconds=60.0)
        assert found.deadline - now == pytest.approx(expected, abs=0.5)


async def test_a_message_is_waited_for_as_long_as_is_allowed():
    assert await calls.read(Context(messages=[b"x"]), seconds=1.0) == b"x"
    with pytest.raises(BodyTooSlow):
        await calls.read(Context(), seconds=0.01)
