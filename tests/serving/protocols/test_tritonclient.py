"""A client that was not written here, unmodified, over HTTP: JSON and raw tensors, compression, errors."""

import asyncio
import contextlib

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository, TensorSpec
from windlass.serving.tensors import DATATYPES

pytestmark = pytest.mark.realtime

VALUES = {
    "BYTES": [[b"abc", b""]],
    "BOOL": [[True, False]],
    "UINT64": [[2**64 - 1, 0]],
    "INT64": [[-(2**63), 2**53 + 1]],
}


@contextlib.asynccontextmanager
async def serving(repository=None, **options):
    if repository is None:
        repository = ModelRepository()
        repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0, options=EndpointOptions(**options)) as endpoint:
        yield endpoint.url.removeprefix("http://")


async def using(address, work):
    """`work(client)` in a thread, because the client blocks. It is made, used and closed in one thread."""

    def run():
        with triton.InferenceServerClient(address) as client:
            return work(client)

    return await asyncio.to_thread(run)


def tensor(values, datatype, *, raw=True, name="t"):
    array = np.array(values, dtype=DATATYPES[datatype])
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=raw)
    return made, array


async def test_health_and_metadata():
    """R1-R3, R5, R6."""
    async with serving() as address:

        def work(client):
            assert client.is_server_live()
            assert client.is_server_ready()
            assert client.is_model_ready("linear")
            assert client.is_model_ready("linear", "1")
            assert not client.is_model_ready("nothing")
            assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
            assert client.get_model_metadata("linear")["platform"] == "numpy_linear"
            assert [one["state"] for one in client.get_model_repository_index()] == ["READY"]

        await using(address, work)


@pytest.mark.parametrize("answered_raw", [True, False])
@pytest.mark.parametrize("sent_raw", [True, False])
@pytest.mark.parametrize("datatype", DATATYPES)
async def test_every_datatype_comes_back(echo, datatype, sent_raw, answered_raw):
    """R12, B1, B2, B5, B6: half precision travels raw only."""
    if datatype in ("FP16", "BF16") and not (sent_raw and answered_raw):
        # The client itself refuses to write half precision into JSON.
        sent_raw = True
    repository = ModelRepository()
    repository.add("echo", echo(TensorSpec("t", datatype, (-1, 2))))
    made, array = tensor(VALUES.get(datatype, [[1, 0]]), datatype, raw=sent_raw)
    output = triton.InferRequestedOutput("t", binary_data=answered_raw)
    async with serving(repository) as address:
        asked = using(address, lambda client: client.infer("echo", [made], outputs=[output], request_id="é7"))
        if datatype in ("FP16", "BF16") and not answered_raw:
            with pytest.raises(InferenceServerException, match=f"{datatype} does not travel as JSON") as raised:
                await asked
            assert raised.value.status() == "400"
            return
        result = await asked
    found = result.as_numpy("t")
    expected = array.astype("U") if datatype == "BYTES" and not answered_raw else array
    np.testing.assert_array_equal(found.astype("U") if expected is not array else found, expected)
    assert result.get_response()["id"] == "é7"


async def test_all_outputs_are_raw_when_none_is_asked_for(echo):
    """B5: the client then asks with `binary_data_output`."""
    repository = ModelRepository()
    repository.add("echo", echo(TensorSpec("a", "FP32", (-1,)), TensorSpec("b", "BYTES", (-1,))))
    a, b = tensor([0.5], "FP32", name="a")[0], tensor([b"\xff"], "BYTES", name="b")[0]
    async with serving(repository) as address:
        result = await using(address, lambda client: client.infer("echo", [a, b]))
    assert [one["parameters"] for one in result.get_response()["outputs"]] == [
        {"binary_data_size": 4},
        {"binary_data_size": 5},
    ]
    assert (result.as_numpy("a").tolist(), result.as_numpy("b").tolist()) == ([0.5], [b"\xff"])


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
async def test_compressed_requests_with_raw_tensors(algorithm):
    """B7: the lengths in the request are those before compression."""
    made, _ = tensor([1, 2.5], "FP64", name="x")
    async with serving() as address:
        result = await using(
            address,
            lambda client: client.infer(
                "linear",
                [made],
                request_compression_algorithm=algorithm,
                response_compression_algorithm=algorithm,
            ),
        )
    assert result.as_numpy("prediction").tolist() == [0.7, -0.5]


async def test_a_large_tensor_is_read_in_parts():
    values = np.arange(500_000, dtype=np.float64)
    made, _ = tensor(values, "FP64", name="x")
    async with serving() as address:
        result = await using(address, lambda client: client.infer("linear", [made]))
    np.testing.assert_array_equal(result.as_numpy("prediction"), values * -0.8 + 1.5)


@pytest.mark.parametrize(
    ("model", "version", "shape", "status", "why"),
    [
        pytest.param("nothing", "", [2], "404", "there is no model 'nothing'", id="model"),
        pytest.param("linear", "9", [2], "404", "no version '9'", id="version"),
        pytest.param("linear", "", [3], "400", "16 bytes of data, but FP64", id="shape"),
    ],
)
async def test_the_client_understands_our_errors(model, version, shape, status, why):
    """R9, R10, R11, B3."""
    made, _ = tensor([1, 2.5], "FP64", name="x")
    made.set_shape(shape)
    async with serving() as address:
        with pytest.raises(InferenceServerException, match=why) as raised:
            await using(address, lambda client: client.infer(model, [made], version))
    assert raised.value.status() == status
