"""What a running endpoint lets be seen of its requests, over both protocols."""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import threading

import aiohttp
import grpc
import numpy as np
import pytest
from gated_endpoint import INFER, asked, asking, begun, body, gated, waiting
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from windlass.serving import Access, Batching, EndpointError, TensorSpec, TokenFile
from windlass.serving.batching.execution import Execution
from windlass.serving.grpc.messages import message
from windlass.serving.grpc.service import SERVICE
from windlass.serving.telemetry import PayloadOptions, TelemetryOptions
from windlass.serving.telemetry.accesslog import ACCESS_LOGGER
from windlass.serving.telemetry.call import CURRENT, Call
from windlass.serving.telemetry.otel import OpenTelemetry

pytestmark = pytest.mark.realtime

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
TENSOR = {"name": "x", "datatype": "FP64", "shape": [1, 1], "contents": {"fp64_contents": [2.0]}}


def raw(model="gated"):
    return message("ModelInferRequest")(model_name=model, inputs=[TENSOR]).SerializeToString()


@contextlib.asynccontextmanager
async def connected(endpoint):
    async with grpc.aio.insecure_channel(endpoint.grpc_address) as channel:
        yield channel.unary_unary(f"/{SERVICE}/ModelInfer"), channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, ACCESS_LOGGER)
    return lambda: [json.loads(record.getMessage()) for record in caplog.records if record.name == ACCESS_LOGGER]


async def ended(lines, count):
    """The lines, once there are so many: a line is written when its answer has left."""
    while len(lines()) < count:  # noqa: ASYNC110  (the endpoint writes them)
        await asyncio.sleep(0.005)
    return lines()[-count:]


class Spans:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.options = TelemetryOptions(tracing=OpenTelemetry(self.provider))

    async def of(self, count=1):
        """By name, the spans of the last so many requests."""
        while sum(span.kind.name == "SERVER" for span in self.exporter.get_finished_spans()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return {span.name: span for span in self.exporter.get_finished_spans()}


async def test_a_line_tells_of_a_request_whichever_protocol_it_came_by(lines, tmp_path):
    (tmp_path / "tokens").write_text("ann ann-0123456789abcdef\n")
    options = {
        "telemetry": TelemetryOptions(access_fraction=1.0), "access": Access(TokenFile(tmp_path / "tokens")),
        "batching": Batching(always=True),
    }  # fmt: skip
    bearer = {"Authorization": "Bearer ann-0123456789abcdef"}
    async with gated(grpc_port=0, **options) as (endpoint, session, model), connected(endpoint) as (call, stream):
        model.gate.set()
        status, _, _ = await asked(session, 2.0, headers={**bearer, **PARENT})
        assert status == 200
        (http,) = await ended(lines, 1)
        assert {key: http[key] for key in ("protocol", "method", "path", "status", "peer", "caller", "trace_id")} == {
            "protocol": "http", "method": "POST", "path": INFER, "status": 200, "peer": "127.0.0.1", "caller": "ann",
            "trace_id": TRACE,
        }  # fmt: skip
        assert (http["model"], http["version"], http["rows"]) == ("gated", "1", 1)
        assert 0 <= http["queue_ms"] <= http["duration_ms"]
        assert 0 <= http["execute_ms"] <= http["duration_ms"]
        assert http["request_bytes"] > 50
        assert http["response_bytes"] > 50

        metadata = [("authorization", bearer["Authorization"]), *PARENT.items()]
        await call(raw(), metadata=metadata)
        streaming = stream(metadata=metadata)
        await streaming.write(raw())
        await streaming.read()
        await streaming.done_writing()
        await streaming.read()
        for found, name in zip(
            await ended(lines, 3), ("ModelInfer", "ModelStreamInfer", "ModelStreamInfer"), strict=True
        ):
            assert (found["protocol"], found["method"], found["status"]) == ("grpc", name, "OK")
            assert (found["peer"], found["caller"], found["trace_id"]) == ("127.0.0.1", "ann", TRACE)
        assert [found.get("model") for found in lines()[1:]] == ["gated", None, "gated"]


async def test_errors_are_always_told_and_a_hang_up_is_one(lines, tmp_path):
    """DB22: whoever leaves does not take along what tells of it."""
    options = TelemetryOptions(access_fraction=0.0, payloads=PayloadOptions(tmp_path / "payloads"))
    async with gated(grpc_port=0, telemetry=options) as (endpoint, session, model):
        async with session.get("/v2/models/none") as response:
            assert response.status == 404
        async with connected(endpoint) as (call, _):
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call(raw("none"))
        first = asking(session, 1.0)
        await begun(model)
        leaving = asking(session, 2.0)
        await waiting(endpoint, 1)
        leaving.cancel()
        found = await ended(lines, 3)
        assert [one["status"] for one in found] == [404, "NOT_FOUND", 499]
        model.gate.set()
        assert (await first)[0] == 200
    assert len(lines()) == 3
    carried = [json.loads(line) for line in (tmp_path / "payloads").read_text().splitlines()]
    assert [(one["status"], one["inputs"]["x"]["data"]) for one in carried] == [(499, [2.0]), (200, [1.0])]


async def test_a_trace_goes_on_in_spans_for_what_a_request_did():
    """W3C Trace Context: the client's trace, the endpoint's span as its parent's child, and its parts inside it."""
    spans = Spans()
    async with gated(telemetry=spans.options, batching=Batching(always=True)) as (_, session, model):
        first = asking(session, 1.0, headers=PARENT)
        await begun(model)
        model.gate.set()
        headers = (await first)[2]
        found = await spans.of()
    root = found["POST gated"]
    assert (f"{root.context.trace_id:032x}", f"{root.parent.span_id:016x}") == (TRACE, "b7ad6b7169203331")
    assert headers["Traceparent"] == f"00-{TRACE}-{root.context.span_id:016x}-01"
    assert set(found) == {"POST gated", "receive", "queue", "execute"}
    parts = [found[name] for name in ("receive", "queue", "execute")]
    assert all(part.parent.span_id == root.context.span_id for part in parts)
    moments = [moment for part in parts for moment in (part.start_time, part.end_time)]
    assert moments == sorted(moments)
    assert root.start_time <= moments[0]
    assert moments[-1] <= root.end_time
    attributes = {"windlass.model": "gated", "windlass.version": "1", "windlass.execution.rows": 1,
                  "http.response.status_code": 200, "url.path": INFER}  # fmt: skip
    assert {**root.attributes, **attributes} == dict(root.attributes)


async def test_over_grpc_a_trace_goes_on_and_comes_back_in_the_metadata():
    spans = Spans()
    async with gated(grpc_port=0, telemetry=spans.options) as (endpoint, _, model), connected(endpoint) as (call, _):
        model.gate.set()
        asking_ = call(raw(), metadata=list(PARENT.items()))
        await asking_
        returned = dict(await asking_.initial_metadata())
        root = (await spans.of())["ModelInfer gated"]
    assert (f"{root.context.trace_id:032x}", root.attributes["rpc.grpc.status"]) == (TRACE, "OK")
    assert returned["traceparent"] == f"00-{TRACE}-{root.context.span_id:016x}-01"


async def test_without_a_trace_of_the_client_a_new_one_begins_and_is_that_of_the_log(lines):
    spans = Spans()
    options = TelemetryOptions(tracing=spans.options.tracing, access_fraction=1.0)
    async with gated(telemetry=options) as (_, session, model):
        model.gate.set()
        await asked(session, 1.0, headers={"traceparent": "nonsense"})
        (line,) = await ended(lines, 1)
        root = (await spans.of())["POST gated"]
    assert (root.parent, line["trace_id"]) == (None, f"{root.context.trace_id:032x}")


async def test_two_requests_of_one_batch_keep_their_traces_apart():
    """DB14."""
    spans = Spans()
    traces = [f"{number:032x}" for number in (1, 2, 3)]
    async with gated(telemetry=spans.options, batching=Batching(always=True)) as (endpoint, session, model):
        first = asking(session, 1.0)
        await begun(model)
        mates = [asking(session, 2.0, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}) for trace in traces]
        await waiting(endpoint, 3)
        model.gate.set()
        await asyncio.gather(first, *mates)
        await spans.of(4)
        found = spans.exporter.get_finished_spans()
    for trace in traces:
        of_trace = {span.name: span for span in found if f"{span.context.trace_id:032x}" == trace}
        assert set(of_trace) == {"POST gated", "receive", "queue", "execute"}
        assert of_trace["POST gated"].attributes["windlass.execution.rows"] == 3


async def test_a_trace_that_its_client_does_not_sample_is_passed_on_and_not_recorded():
    spans = Spans()
    async with gated(telemetry=spans.options) as (_, session, model):
        model.gate.set()
        _, _, headers = await asked(session, 1.0, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"})
        assert headers["Traceparent"].startswith(f"00-{TRACE}-")
        assert headers["Traceparent"].endswith("-00")
    assert spans.exporter.get_finished_spans() == ()


async def test_what_requests_carry_is_logged_and_an_answer_never_waits_for_it(tmp_path):
    place = tmp_path / "payloads"
    options = TelemetryOptions(payloads=PayloadOptions(place))
    async with gated(grpc_port=0, telemetry=options) as (endpoint, session, model), connected(endpoint) as (call, _):
        model.gate.set()
        await asked(session, 1.0)
        await call(raw())
        assert (await asked(session, 13.0))[0] == 500
        async with session.get("/v2/health/live"):
            pass
    assert "windlass-serving-payloads" not in [thread.name for thread in threading.enumerate()]
    found = [json.loads(line) for line in place.read_text().splitlines()]
    assert [(one["protocol"], one["status"]) for one in found] == [("http", 200), ("grpc", "OK"), ("http", 500)]
    assert [one["inputs"]["x"]["data"] for one in found] == [[1.0], [2.0], [13.0]]
    assert [one["outputs"]["x"]["data"] for one in found[:2]] == [[2.0], [4.0]]
    assert "outputs" not in found[2]


async def test_exemplars_lead_from_a_latency_to_its_trace():
    async with gated() as (_, session, model):
        model.gate.set()
        await asked(session, 1.0, headers=PARENT)
        async with session.get(
            "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        ) as response:
            text = await response.text()
        assert f'# {{trace_id="{TRACE}"}}' in text
        async with session.get("/metrics") as response:
            assert TRACE not in await response.text()


async def test_nothing_of_opentelemetry_is_imported_by_an_endpoint(tmp_path):
    program = (
        "import sys, windlass.serving, windlass.serving.telemetry, windlass.serving.grpc;"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    ended_ = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert ended_.returncode == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_share_is_between_none_and_all(fraction):
    with pytest.raises(EndpointError, match=r"^access_fraction: expected a number from 0 to 1"):
        TelemetryOptions(access_fraction=fraction)


async def test_a_request_that_has_no_model_has_a_line_and_a_span_too(lines):
    spans = Spans()
    options = TelemetryOptions(tracing=spans.options.tracing, access_fraction=1.0)
    async with gated(telemetry=options) as (endpoint, *_), aiohttp.ClientSession(endpoint.url) as session:
        async with session.post(INFER, data=json.dumps(body(1.0))[:-3]) as response:
            assert response.status == 400
        (line,) = await ended(lines, 1)
        assert ("model" in line, line["status"]) == (False, 400)
        assert (await spans.of())["POST"].status.is_unset


async def test_what_runs_beside_the_model_that_answers_is_not_what_is_told():
    """A shadow is slower and wider here; the call speaks of the one that was asked first."""
    async with gated() as (endpoint, _, model):
        shadow = endpoint.repository.add("shadow", Shadow())
        object.__setattr__(shadow, "inline_elements", -1)
        call = Call(asyncio.get_running_loop().time())
        call.keeps = True
        CURRENT.set(call)
        execution, inputs = Execution(threads=2), {"x": np.ones((3, 1))}
        answering = asyncio.create_task(execution.run(endpoint.repository.get("gated"), inputs))
        await begun(model)
        await execution.run(shadow, {"x": np.ones((9, 1))})
        assert (call.model, call.rows, call.executed, call.outputs) == ("gated", 3, None, None)
        model.gate.set()
        answer = await answering
        assert call.outputs is answer
        assert call.executed is not None
        execution.close()
    CURRENT.set(None)


class Shadow:
    name, version, platform = "shadow", "1", "test_test"
    inputs = outputs = (TensorSpec("x", "FP64", (-1, 1)),)

    def predict(self, inputs, /):
        return inputs
