"""What is answered at once is answered as the application answers it, and what is not is left to it whole."""

import asyncio
import contextlib
import json
import re
import time

import attrs
import numpy as np
import pytest

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.errors import BadRequest
from windlass.serving.http.limits import ConnectionLimits
from windlass.serving.traffic import Arm, Route, Routes, TrafficOptions

pytestmark = pytest.mark.realtime

X = {"name": "x", "datatype": "FP64", "shape": [2], "data": [1.0, 2.0]}
V2 = {"id": "7", "inputs": [X]}
RAW = json.dumps(
    {
        "id": "7",
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}],
        "parameters": {"binary_data_output": True},
    }
).encode()
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@attrs.frozen
class Moody(LinearModel):
    """Notes whether it is computed outside of any task; some numbers are more than it can bear, many take it long."""

    outside: list[bool] = attrs.field(factory=list)

    def predict(self, inputs, /):
        x = inputs["x"]
        try:
            self.outside.append(asyncio.current_task() is None)
        except RuntimeError:
            self.outside.append(False)  # in a thread
        if x[0] == -1:
            raise ZeroDivisionError("minus one")
        if x[0] == -2:
            raise BadRequest("minus two")
        if len(x) > 16:
            time.sleep(0.003)
        return {"prediction": x * np.nan} if x[0] == -3 else LinearModel.predict(self, inputs)


@contextlib.asynccontextmanager
async def served(**options):
    repository = ModelRepository()
    model = Moody()
    repository.add("linear", model)
    async with Endpoint(repository, port=0, options=EndpointOptions(**options)) as endpoint:
        model.outside.clear()
        yield endpoint, model


@contextlib.asynccontextmanager
async def connected(endpoint):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def post(path, body, *headers, chunked=False):
    """A request; with `chunked` the same body in a form that is never answered at once."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: a", *headers]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (the endpoint, in the same loop, brings it about)
            await asyncio.sleep(0)


async def answer(reader):
    """Head without its date, and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(re.search(rb"\nContent-Length: (\d+)", head)[1]))
    return re.sub(rb"Date: [^\r]+", b"", head), body


def counted(endpoint):
    """The requests by everything that is said of them, and by the trace that is their exemplar."""
    return {
        (*sorted(sample.labels.items()), *(sample.exemplar.labels.items() if sample.exemplar else ())): sample.value
        for family in endpoint.metrics.registry.collect()
        for sample in family.samples
        if sample.name in ("windlass_serving_requests_total", "windlass_serving_request_duration_seconds_count")
    }


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        pytest.param("/predict", {"x": 2.5}, (), id="predict"),
        pytest.param("/v2/models/linear/infer", V2, (), id="v2"),
        pytest.param("/v2/models/linear/versions/1/infer", V2, ("Content-Type: application/json",), id="version"),
        pytest.param("/v1/models/linear:predict", {"instances": [1, 2]}, (f"Traceparent: {TRACE}",), id="v1"),
        pytest.param("/v1/models/linear/versions/1:predict", {"instances": [1]}, (), id="v1 version"),
        pytest.param(
            "/v2/models/linear/infer",
            RAW + np.array([1.0, 2.0]).tobytes(),
            (f"Inference-Header-Content-Length: {len(RAW)}",),
            id="raw",
        ),
        pytest.param("/predict", b"{", (), id="no JSON"),
        pytest.param("/predict", {"y": 1}, (), id="no x"),
        pytest.param("/predict", {"x": 2.5}, ("X-Request-Timeout-Ms: soon",), id="timeout"),
        pytest.param("/predict", {"x": 2.5}, ("X-Request-Priority: 10",), id="priority"),
        pytest.param("/v2/models/linear/infer", {**V2, "parameters": {"timeout": -1}}, (), id="parameter"),
        pytest.param("/predict", {"x": 2.5}, ("Content-Type: image/png",), id="content type"),
        pytest.param("/predict", {"x": -1}, (), id="the model fails"),
        pytest.param("/predict", {"x": -2}, (), id="the model refuses"),
        pytest.param("/predict", {"x": -3}, (), id="no word in JSON"),
    ],
)
async def test_the_answer_and_what_is_counted_are_those_of_the_application(path, body, headers):
    async with served() as (endpoint, model), connected(endpoint) as (reader, writer):
        found, counts = [], []
        for chunked in (False, True):
            before = counted(endpoint)
            writer.write(post(path, body, *headers, chunked=chunked))
            found.append(await answer(reader))
            counts.append({key: value - before.get(key, 0) for key, value in counted(endpoint).items()})
        assert found[0] == found[1]
        assert {key: value for key, value in counts[0].items() if value} == counts[1]
        assert model.outside in ([], [True, False])
        assert endpoint.metrics.registry.get_sample_value("windlass_serving_requests_in_flight") == 0


async def test_a_small_request_is_computed_outside_of_any_task():
    """What it is for; were nothing answered at once, every other test here would hold as well."""
    async with served() as (endpoint, model), connected(endpoint) as (reader, writer):
        for _ in range(3):
            writer.write(post("/predict", {"x": 2.5}))
            head, body = await answer(reader)
            assert (head.split()[1], json.loads(body)) == (b"200", {"prediction": -0.5})
        assert model.outside == [True, True, True]


async def test_a_body_that_is_small_and_yet_too_much_for_the_loop_reaches_the_application_whole():
    async with served() as (endpoint, model), connected(endpoint) as (reader, writer):
        assert endpoint.repository.get("linear").inline_elements == 16
        writer.write(post("/v1/models/linear:predict", {"instances": [2.5] * 20}))
        assert json.loads((await answer(reader))[1]) == {"predictions": [-0.5] * 20}
        assert model.outside == [False]
        assert counted(endpoint)[(("code", "200"), ("model", "linear"), ("protocol", "v1"), ("version", "1"))] == 1


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post("/predict", {"x": 2.5}, "Connection: close"), id="the last one"),
        pytest.param(post("/predict", {"x": 2.5}).replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(post("/predict", {"x": 2.5}, "Expect: 100-continue"), id="it expects"),
        pytest.param(post("/v2/models/line%61r/infer", V2), id="an escape"),
        pytest.param(post("/predict?a=b", {"x": 2.5}), id="a query"),
        pytest.param(post("/predict", {"x": 2.5}).replace(b"/predict", b"http://a/predict"), id="absolute"),
    ],
)
async def test_what_is_out_of_the_ordinary_is_left_to_the_application(request_):
    async with served() as (endpoint, model), connected(endpoint) as (reader, writer):
        writer.write(request_)
        if b"100-continue" in request_:
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        head, _ = await answer(reader)
        assert (head.split()[1], model.outside) == (b"200", [False])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"cors_origins": ("https://a.example",)}, id="CORS"),
        pytest.param(
            {"traffic": TrafficOptions(Routes.of(Route("linear", (Arm("a", "linear", weight=100),))))}, id="a route"
        ),
        pytest.param({"requests_max": 1, "all_bodies_bytes_max": 9}, id="no room"),
        pytest.param({"max_body_bytes": 9}, id="too large"),
    ],
)
async def test_where_somebody_else_has_a_say_nothing_is_answered_at_once(options):
    async with served(**options) as (endpoint, model), connected(endpoint) as (reader, writer):
        writer.write(post("/predict", {"x": 2.5}))
        await answer(reader)
        assert True not in model.outside


async def test_requests_in_one_packet_and_in_pieces_are_answered_in_their_order():
    async with served() as (endpoint, _), connected(endpoint) as (reader, writer):
        writer.write(b"".join(post("/predict", {"x": x}) for x in range(40)))
        found = [json.loads((await answer(reader))[1])["prediction"] for _ in range(40)]
        assert found == pytest.approx([1.5 - 0.8 * x for x in range(40)])
        last = post("/predict", {"x": 2.5})
        for cut in (1, 20, len(last) - 3):
            writer.write(last[:cut])
            await asyncio.sleep(0.01)
            writer.write(last[cut:] + last[:5])
            assert json.loads((await answer(reader))[1]) == {"prediction": -0.5}
            writer.write(last[5:])
            assert json.loads((await answer(reader))[1]) == {"prediction": -0.5}


async def test_a_client_that_takes_no_answers_is_not_answered_without_bound():
    """The transport would hold all that was not taken; aiohttp waits for it, and so must this."""
    async with served() as (endpoint, model), connected(endpoint) as (_, writer):
        writer.transport.pause_reading()
        request = post("/v2/models/linear/infer", {**V2, "id": "i" * 1000})
        await until(lambda: endpoint._runner.server.connections)
        (connection,) = endpoint._runner.server.connections
        computed = 0
        while not connection._paused:
            writer.write(request)
            computed += 1
            await until(lambda: len(model.outside) == computed)  # noqa: B023  (one by one: nothing is pipelined)
        assert all(model.outside)
        writer.write(request)
        await until(lambda: len(model.outside) > computed)
        assert model.outside[-1] is False
        for _ in range(5):
            writer.write(request)
        await until(lambda: len(connection._messages) == 5)
        assert len(model.outside) == computed + 1


async def test_an_answer_at_once_counts_as_life_of_its_connection():
    """DB26: a connection is closed when nothing was asked for that long, not that long after its beginning."""
    limits = ConnectionLimits(idle_seconds=0.9)
    async with served(connections=limits) as (endpoint, model), connected(endpoint) as (reader, writer):
        for _ in range(3):
            await asyncio.sleep(0.4)
            writer.write(post("/predict", {"x": 2.5}))
            await answer(reader)
        assert model.outside == [True] * 3
        async with asyncio.timeout(10):
            assert await reader.read() == b""


async def test_while_it_drains_the_application_answers_and_closes():
    """DB23."""
    async with served() as (endpoint, model), connected(endpoint) as (reader, writer):
        endpoint._draining = True
        writer.write(post("/predict", {"x": 2.5}))
        head, _ = await answer(reader)
        assert b"Connection: close" in head
        assert model.outside == [False]


class Nowhere(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def write(self, data):
        self.written += data

    def is_closing(self):
        return False

    def get_write_buffer_size(self):
        return 0

    def close(self):
        pass

    def resume_reading(self):
        pass


@contextlib.asynccontextmanager
async def three_without_sockets():
    """Connections that wait for a request."""
    async with served() as (endpoint, model):
        pairs = [(endpoint._runner.server(), Nowhere()) for _ in range(3)]
        for connection, transport in pairs:
            connection.connection_made(transport)
            await until(lambda: connection._waiter is not None)  # noqa: B023  (awaited in the same round)
        model.outside.clear()
        yield pairs, model
        for connection, _ in pairs:
            connection.connection_lost(None)


async def test_what_is_read_in_one_turn_of_the_loop_is_answered_in_the_next():
    """Answered while it is read, the last of a turn would always just miss the next turn with its next request."""
    async with three_without_sockets() as (pairs, model):
        for connection, _ in pairs:
            connection.data_received(post("/predict", {"x": 2.5}))
        assert model.outside == []
        await asyncio.sleep(0)
        assert model.outside == [True] * 3
        assert all(transport.written.endswith(b'{"prediction":-0.5}') for _, transport in pairs)


async def test_a_second_request_before_the_answer_to_the_first_is_answered_after_it():
    async with three_without_sockets() as ([(connection, transport), *_], model):
        connection.data_received(post("/predict", {"x": 2.5}))
        connection.data_received(post("/predict", {"x": 0}))
        await until(lambda: transport.written.count(b"HTTP/1.1 200") == 2)
        first, second = re.findall(rb'\{"prediction":([^}]+)', transport.written)
        assert [float(first), float(second)] == [-0.5, 1.5]
        assert len(model.outside) == 2


@pytest.mark.parametrize("end", ["closed", "lost"])
async def test_a_connection_that_ends_before_its_answer(end):
    """Closed by us it is answered first (DB23); when the client has gone nothing is computed for it (DB21)."""
    async with three_without_sockets() as ([(connection, transport), *_], model):
        connection.data_received(post("/predict", {"x": 2.5}))
        connection.close() if end == "closed" else connection.connection_lost(None)
        await asyncio.sleep(0)
        assert transport.written.endswith(b'{"prediction":-0.5}') is (end == "closed")
        assert len(model.outside) == (end == "closed")
