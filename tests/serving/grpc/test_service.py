"""The gRPC service over real sockets: codes, deadlines, cancellation, drain, and a client that was not written here."""

import asyncio
import contextlib
import sys
import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

from windlass.serving import (
    Endpoint,
    EndpointError,
    EndpointOptions,
    Limits,
    LinearModel,
    ModelRepository,
    Policy,
    TensorSpec,
    errors,
)
from windlass.serving.grpc.messages import message
from windlass.serving.grpc.service import SERVICE, code_of, details_of
from windlass.serving.tensors import DATATYPES

pytestmark = pytest.mark.realtime

Request, Response = message("ModelInferRequest"), message("ModelInferResponse")


class Gate(LinearModel):
    """Computes when it is let; zeros, which warm it up, pass at once."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "open", threading.Event())
        object.__setattr__(self, "began", [])

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def predict(self, inputs, /):
        if inputs["x"][0]:
            self.began.append(inputs["x"][0])
            assert self.open.wait(60)
        return super().predict(inputs)


def gated(repository):
    gate = Gate()
    loaded = repository.add("gate", gate)
    object.__setattr__(loaded, "inline_elements", -1)  # measured on zeros it looks fast; it belongs into a thread
    return gate


@contextlib.asynccontextmanager
async def serving(repository=None, **options):
    if repository is None:
        repository = ModelRepository()
        repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0, **options)) as endpoint:
        yield endpoint


@contextlib.asynccontextmanager
async def connected(endpoint):
    """A function that calls a method with the request's bytes and gives the answer's bytes."""
    async with grpc.aio.insecure_channel(endpoint.grpc_address) as channel:
        yield lambda method, raw=b"", **kwargs: channel.unary_unary(f"/{SERVICE}/{method}")(raw, **kwargs)


def asking(model, value=2.5, **fields):
    tensor = {"name": "x", "datatype": "FP64", "shape": [1], "contents": {"fp64_contents": [value]}}
    return Request(model_name=model, inputs=[tensor], **fields).SerializeToString()


def counted(endpoint, model, code):
    labels = {"model": model, "version": "1" if model else "", "protocol": "grpc", "code": code}
    return endpoint.metrics.registry.get_sample_value("windlass_serving_requests_total", labels)


async def begun(gate, count):
    while len(gate.began) < count:  # noqa: ASYNC110  (a thread sets it)
        await asyncio.sleep(0.005)


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), raised.value.details()


async def refusal(call):
    """The code of the first call that is refused."""
    while True:
        try:
            await call("ServerLive")
        except grpc.aio.AioRpcError as error:
            return error.code()


async def test_health_and_metadata():
    """R1, R2, R3, R5, R6."""
    async with serving() as endpoint, triton_aio.InferenceServerClient(endpoint.grpc_address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("linear")
        assert await client.is_model_ready("linear", "1")
        server = await client.get_server_metadata(as_json=True)
        assert (server["name"], server["extensions"]) == ("windlass", ["binary_tensor_data"])
        model = await client.get_model_metadata("linear", as_json=True)
        assert (model["versions"], model["platform"]) == (["1"], "numpy_linear")
        assert model["inputs"] == [{"name": "x", "datatype": "FP64", "shape": ["-1"]}]
        index = await client.get_model_repository_index(as_json=True)
        assert index["models"] == [{"name": "linear", "version": "1", "state": "READY"}]


async def test_without_models_it_lives_but_is_not_ready(tmp_path, publish):
    """R1-R3: what is not ready is an answer; what is not known is an error."""
    publish(tmp_path, "m", 1, sha256="0" * 64)
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    async with serving(repository) as endpoint, triton_aio.InferenceServerClient(endpoint.grpc_address) as client:
        assert await client.is_server_live()
        assert not await client.is_server_ready()
        assert not await client.is_model_ready("m")
        with pytest.raises(InferenceServerException, match="there is no model 'nothing'"):
            await client.is_model_ready("nothing")
        async with connected(endpoint) as call:
            code, details = await refused(call("ModelInfer", asking("m")))
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "SHA-256" in details


@pytest.mark.parametrize("datatype", DATATYPES)
async def test_an_unmodified_client_gets_every_datatype_back(echo, datatype):
    """R12, G1, G2: tritonclient sends and reads raw contents."""
    repository = ModelRepository()
    repository.add("echo", echo(TensorSpec("t", datatype, (-1, 2))))
    values = {"BYTES": [[b"\xff", b""]], "BOOL": [[True, False]]}.get(datatype, [[1, 0]])
    sent = np.array(values, dtype=DATATYPES[datatype])
    tensor = triton.InferInput("t", [1, 2], datatype)
    tensor.set_data_from_numpy(sent)
    async with serving(repository) as endpoint:
        # The blocking client, as most people use it, in a thread of its own.
        result = await asyncio.to_thread(_infer, endpoint.grpc_address, tensor)
    np.testing.assert_array_equal(result.as_numpy("t"), sent)
    assert result.get_response().id == "7"


def _infer(address, tensor):
    with triton.InferenceServerClient(address) as client:
        return client.infer("echo", [tensor], request_id="7", outputs=[triton.InferRequestedOutput("t")])


@pytest.mark.parametrize(
    ("method", "raw", "code", "why"),
    [
        pytest.param("ModelInfer", asking("nothing"), "NOT_FOUND", "there is no model 'nothing'", id="model"),
        pytest.param(
            "ModelInfer",
            Request(model_name="linear", model_version="9").SerializeToString(),
            "NOT_FOUND",
            "no version '9'",
            id="version",
        ),
        pytest.param("ModelMetadata", b"", "NOT_FOUND", "there is no model ''", id="no name"),
        pytest.param(
            "ModelInfer",
            Request(model_name="linear").SerializeToString(),
            "INVALID_ARGUMENT",
            "'x': missing",
            id="input",
        ),
        pytest.param("ModelInfer", b"\xff\xff", "INVALID_ARGUMENT", "not a inference.ModelInferRequest", id="garbage"),
        pytest.param("ModelInfer", asking("moody"), "INTERNAL", "ValueError: unlucky", id="failing model"),
        pytest.param("Nothing", b"", "UNIMPLEMENTED", "", id="method"),
    ],
)
async def test_errors_have_the_code_of_their_status_and_say_what_is_wrong(method, raw, code, why):
    """G5."""

    class Moody(LinearModel):
        def predict(self, inputs, /):
            if inputs["x"][0]:
                raise ValueError("unlucky")
            return super().predict(inputs)

    repository = ModelRepository()
    repository.add("linear", LinearModel())
    repository.add("moody", Moody())
    async with serving(repository) as endpoint, connected(endpoint) as call:
        found, details = await refused(call(method, raw))
        assert (found.name, why in details) == (code, True)
        Response.FromString(await call("ModelInfer", asking("linear")))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TooLarge(1), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.Overloaded("x"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.NotReady("x"), grpc.StatusCode.UNAVAILABLE),
        (errors.ModelFailed("x"), grpc.StatusCode.INTERNAL),
    ],
)
def test_the_code_follows_from_the_status(error, code):
    """G5."""
    assert code == code_of(error)


async def test_a_long_sentence_is_cut_to_what_a_client_takes():
    details = details_of(errors.BadRequest("é" * 5000))
    assert details == "é" * 1000
    async with serving() as endpoint, connected(endpoint) as call:
        code, details = await refused(call("ModelInfer", asking("é" * 5000)))
        assert code == grpc.StatusCode.NOT_FOUND
        assert details.startswith("there is no model 'éé")


async def test_a_message_over_the_limit_is_refused():
    """G5: the limit of a body holds for a message, too."""
    async with serving(max_body_bytes=1000) as endpoint, connected(endpoint) as call:
        code, _ = await refused(call("ModelInfer", b" " * 1001))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_too_many_requests_are_refused_at_once():
    """G5."""
    repository = ModelRepository()
    gate = gated(repository)
    object.__setattr__(repository.get("gate"), "policy", Policy(Limits(requests_max=1)))
    async with serving(repository, threads=1) as endpoint, connected(endpoint) as call:
        first = call("ModelInfer", asking("gate"))
        await begun(gate, 1)
        second = call("ModelInfer", asking("gate"))
        waiting = endpoint.metrics.registry.get_sample_value
        while waiting("windlass_serving_queue_requests", {"model": "gate"}) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        code, details = await refused(call("ModelInfer", asking("gate")))
        assert (code, "requests wait" in details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
        gate.open.set()
        for one in (first, second):
            assert Response.FromString(await one).outputs[0].contents.fp64_contents == [-0.5]


@pytest.mark.parametrize("whose", ["the server's", "the request's"])
async def test_a_time_limit_holds_although_the_client_would_wait(whose):
    """G5, DB18."""
    repository = ModelRepository()
    gate = gated(repository)
    request = asking("gate", 2.0)
    if whose == "the request's":
        request = asking("gate", 2.0, parameters={"timeout": {"int64_param": 200_000}})
    else:
        object.__setattr__(repository.get("gate"), "policy", Policy(Limits(timeout_seconds=0.2)))
    async with serving(repository, threads=1) as endpoint, connected(endpoint) as call:
        code, details = await refused(call("ModelInfer", request))
        assert (code, "within the time given" in details) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)
        gate.open.set()


@pytest.mark.parametrize("how", ["cancelled", "deadline"])
async def test_work_of_a_client_that_no_longer_waits_is_never_begun(how):
    """G5, G6: the one thread is busy, so what waits for it is withdrawn."""
    repository = ModelRepository()
    gate = gated(repository)
    # A deadline is seen on both sides; which of the two is first to end the call is chance.
    codes = ("499", "504") if how == "deadline" else ("499",)
    async with serving(repository, threads=1) as endpoint, connected(endpoint) as call:
        first = call("ModelInfer", asking("gate", 1.0))
        await begun(gate, 1)
        second = call("ModelInfer", asking("gate", 2.0), timeout=0.2 if how == "deadline" else None)
        if how == "deadline":
            assert (await refused(second))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
        else:
            while endpoint.metrics.registry.get_sample_value("windlass_serving_requests_in_flight") < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            second.cancel()
        while not any(counted(endpoint, "gate", code) for code in codes):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        gate.open.set()
        await first
        await call("ModelInfer", asking("gate", 3.0))
        assert gate.began == [1.0, 3.0]


async def test_stopping_finishes_what_is_under_way_and_takes_nothing_new():
    """DB23, over gRPC."""
    repository = ModelRepository()
    gate = gated(repository)
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0))
    await endpoint.start()
    async with connected(endpoint) as call:
        first = call("ModelInfer", asking("gate"))
        await begun(gate, 1)
        stopping = asyncio.create_task(endpoint.stop())
        while endpoint.not_ready_because() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert await refusal(call) == grpc.StatusCode.UNAVAILABLE
        gate.open.set()
        assert Response.FromString(await first).outputs[0].contents.fp64_contents == [-0.5]
    await stopping
    with pytest.raises(EndpointError, match="no gRPC service"):
        _ = endpoint.grpc_address


async def test_a_lame_duck_is_not_ready_but_serves():
    """DB23, DB24, R2."""
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0, lame_duck_seconds=60.0))
    await endpoint.start()
    async with connected(endpoint) as call:
        stopping = asyncio.create_task(endpoint.stop())
        while endpoint.not_ready_because() is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert not message("ServerReadyResponse").FromString(await call("ServerReady")).ready
        assert Response.FromString(await call("ModelInfer", asking("linear"))).outputs
    stopping.cancel()
    await asyncio.wait({stopping})
    endpoint.options = EndpointOptions()  # seen enough of the lame duck
    await endpoint.stop()


async def test_an_occupied_port_is_named_and_nothing_is_left_behind():
    before = asyncio.all_tasks()
    async with serving() as first:
        port = int(first.grpc_address.rpartition(":")[2])
        second = Endpoint(ModelRepository(), port=0, options=EndpointOptions(grpc_port=port))
        with pytest.raises(EndpointError, match=rf"^cannot listen for gRPC on 127\.0\.0\.1:{port}"):
            await second.start()
    await asyncio.sleep(0)
    assert before == asyncio.all_tasks()


async def test_requests_are_counted_beside_those_over_http():
    async with serving() as endpoint, connected(endpoint) as call:
        await call("ModelInfer", asking("linear"))
        await refused(call("ModelInfer", asking("invented")))
        counts = [counted(endpoint, model, code) for model, code in (("linear", "200"), ("", "404"))]
        assert counts == [1.0, 1.0]


async def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "windlass.serving.grpc", None)
    with pytest.raises(EndpointError, match=r"pip install 'windlass\[grpc\]'"):
        async with serving():
            pass
