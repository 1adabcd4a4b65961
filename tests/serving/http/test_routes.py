"""Every path over real sockets: what it answers, and that every error is JSON with the right status."""

import contextlib
import gzip
import io
import json

import aiohttp
import pytest
from yarl import URL

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository, TensorSpec

pytestmark = pytest.mark.realtime

X = {"name": "x", "datatype": "FP64", "shape": [2], "data": [1, 2.5]}
INFER = "/v2/models/linear/infer"


@contextlib.asynccontextmanager
async def client(repository=None, **options):
    if repository is None:
        repository = ModelRepository()
        repository.add("linear", LinearModel())
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(**options))
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
        yield session


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", {"status": "alive"}),
        ("/healthz", {"live": True}),
        ("/readyz", {"ready": True}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["linear"]}),
        ("/v1/models", {"models": ["linear"]}),
        ("/v1/models/linear", {"name": "linear", "ready": True}),
        ("/v1/models/linear/versions/1", {"name": "linear", "ready": True}),
        ("/v2/models/linear/ready", {"name": "linear", "ready": True}),
        ("/v2/models/linear/versions/1/ready", {"name": "linear", "ready": True}),
    ],
)
async def test_what_can_be_asked(path, expected):
    """R1-R3, D1, V1-1, V1-5."""
    async with client() as session, session.get(path) as response:
        assert (200, expected) == (response.status, await response.json())


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
async def test_server_metadata_lists_what_is_implemented(path):
    """R5, D6."""
    async with client() as session, session.get(path) as response:
        content = await response.json()
        assert (content["name"], content["extensions"]) == ("windlass", ["binary_tensor_data"])
        assert isinstance(content["version"], str)


@pytest.mark.parametrize("path", ["/v2/models/linear", "/v2/models/linear/versions/1"])
async def test_model_metadata(path):
    """R6."""
    async with client() as session, session.get(path) as response:
        content = await response.json()
        assert (content["versions"], content["platform"]) == (["1"], "numpy_linear")
        assert content["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1]}]


@pytest.mark.parametrize("path", [INFER, "/v2/models/linear/versions/1/infer"])
async def test_infer(path):
    async with client() as session, session.post(path, json={"id": "7", "inputs": [X]}) as response:
        content = await response.json()
        assert (content["id"], content["outputs"][0]["data"]) == ("7", [0.7, -0.5])


async def test_infer_with_raw_tensors():
    """B1, B6."""
    raw = {"name": "x", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}
    head = json.dumps({"inputs": [raw], "parameters": {"binary_data_output": True}}).encode()
    blob = bytes.fromhex("0000000000000440")  # 2.5
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    async with client() as session, session.post(INFER, data=head + blob, headers=headers) as response:
        body = await response.read()
        length = int(response.headers["Inference-Header-Content-Length"])
        assert (response.status, response.content_type) == (200, "application/octet-stream")
        assert json.loads(body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 8}
        assert body[length:].hex() == "000000000000e0bf"  # -0.5


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/linear:predict",
        "/v1/models/linear%3Apredict",
        "/v1/models/linear%3apredict",
        "/v1/models/linear/versions/1:predict",
    ],
)
async def test_v1_predict_however_the_colon_is_written(path):
    """V1-4."""
    async with client() as session:
        url = URL(path, encoded=True)
        async with session.post(url, json={"instances": [1, 2.5]}) as response:
            assert (response.status, await response.json()) == (200, {"predictions": [0.7, -0.5]})


async def test_v1_explain_where_the_model_offers_it(echo):
    """V1-2: as many explanations as instances, in their order."""
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    repository.add("echo", echo(TensorSpec("t", "FP64", (-1,))))
    async with client(repository) as session:
        async with session.post("/v1/models/linear:explain", json={"instances": [0, 2.5]}) as response:
            expected = [{"contribution": 0.0, "bias": 1.5}, {"contribution": -2.0, "bias": 1.5}]
            assert (response.status, await response.json()) == (200, {"explanations": expected})
        async with session.post("/v1/models/echo:explain", json={"instances": [1]}) as response:
            assert response.status == 404
            assert (await response.json())["error"] == "model 'echo' offers no 'explain'; it offers 'predict'"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain; charset=utf-8"},
        {"Content-Type": "application/vnd.tensors+json"},
    ],
)
async def test_content_types_that_are_or_may_be_json_are_read(headers):
    async with client() as session, session.post("/predict", data=b'{"x": 2.5}', headers=headers) as response:
        assert await response.json() == {"prediction": -0.5}


async def test_a_compressed_body_is_read():
    """B7."""
    async with client() as session:
        body, headers = gzip.compress(b'{"x": 2.5}'), {"Content-Encoding": "gzip"}
        async with session.post("/predict", data=body, headers=headers) as response:
            assert await response.json() == {"prediction": -0.5}


ERRORS = [
    pytest.param("POST", "/predict", b"{", 400, "not JSON", id="not JSON"),
    pytest.param("POST", "/predict", b'{"x": "a"}', 400, "x: expected number", id="not a number"),
    pytest.param("POST", "/predict", b"", 400, "body: empty", id="empty"),
    pytest.param("POST", INFER, b'{"inputs": []}', 400, "input 'x': missing", id="input missing"),
    pytest.param("POST", "/v1/models/linear:predict", b'{"instances": 1}', 400, "to be a list", id="no list"),
    pytest.param("POST", "/v2/repository/index", b'{"ready": 1}', 400, "ready: expected boolean", id="index"),
    pytest.param("GET", "/nothing", None, 404, "no path /nothing", id="no path"),
    pytest.param("GET", "/v2/models/nothing", None, 404, "no model 'nothing'", id="no model"),
    pytest.param("GET", "/v2/models/nothing/ready", None, 404, "no model 'nothing'", id="no model, ready"),
    pytest.param("POST", "/v2/models/nothing/infer", b"{}", 404, "no model 'nothing'", id="no model, infer"),
    pytest.param("GET", "/v2/models/linear/versions/9", None, 404, "no version '9'", id="no version"),
    pytest.param("POST", "/v2/models/linear/versions/9/infer", b"{}", 404, "no version '9'", id="no version, infer"),
    pytest.param("POST", "/v1/models/nothing:predict", b"{}", 404, "no model 'nothing'", id="v1 no model"),
    pytest.param("POST", "/v1/models/linear:classify", b"{}", 404, "there is no 'classify'", id="v1 no verb"),
    pytest.param("GET", "/v2/models/a/b/c", None, 404, "no path", id="deeper path"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "why"), ERRORS)
async def test_errors_are_json_and_say_what_is_wrong(method, path, body, status, why):
    """R9, R10, R11."""
    async with client() as session, session.request(method, path, data=body) as response:
        assert (status, "application/json") == (response.status, response.content_type)
        content = await response.json()
        assert list(content) == ["error"]
        assert why in content["error"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_verb_that_no_model_has_is_404_whatever_the_method(method):
    async with client() as session, session.request(method, "/v1/models/linear:train") as response:
        assert response.status == 404
        assert "there is no 'train'" in (await response.json())["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("GET", INFER, "POST"),
        ("DELETE", INFER, "POST"),
        ("POST", "/v2/health/live", "GET, HEAD"),
        ("GET", "/v1/models/linear:predict", "POST"),
        ("POST", "/v1/models/linear", "GET, HEAD"),
        ("PUT", "/v2/models/linear", "GET, HEAD"),
        ("PUT", "/v1/models/linear", "GET, HEAD"),
        ("OPTIONS", "/v1/models/linear:predict", "POST"),
        ("DELETE", "/v1/models/linear/versions/1:explain", "POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method, path, allowed):
    async with client() as session, session.request(method, path) as response:
        assert (405, allowed) == (response.status, response.headers["Allow"])
        assert "not allowed" in (await response.json())["error"]


@pytest.mark.parametrize("kind", ["text/csv", "image/png", "multipart/form-data", "application/xml"])
async def test_a_body_of_another_kind_is_refused(kind):
    async with (
        client() as session,
        session.post("/predict", data=b'{"x": 1}', headers={"Content-Type": kind}) as response,
    ):
        assert response.status == 415
        assert kind in (await response.json())["error"]


async def chunks(count):
    for _ in range(count):
        yield b" " * 50


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b" " * 101, {}, id="announced"),
        pytest.param(gzip.compress(b" " * 100_000), {"Content-Encoding": "gzip"}, id="compressed"),
        pytest.param(None, {}, id="in chunks"),
    ],
)
async def test_a_body_over_the_limit_is_refused(body, headers):
    """R11, B7: the limit is on what comes out of the decompression."""
    async with (
        client(max_body_bytes=100) as session,
        session.post("/predict", data=body or chunks(1000), headers=headers) as response,
    ):
        assert response.status == 413
        assert "limit of 100 bytes" in (await response.json())["error"]


async def test_a_body_that_is_not_what_its_encoding_says_is_refused():
    async with (
        client() as session,
        session.post("/predict", data=b"plain", headers={"Content-Encoding": "gzip"}) as response,
    ):
        assert (response.status, response.headers["Connection"]) == (400, "close")
        assert "cannot be read" in (await response.json())["error"]


async def test_a_body_that_nobody_read_and_nobody_can_ends_the_connection_with_notice():
    """R10: whoever sends the next request on it would be cut off otherwise."""
    async with (
        client() as session,
        session.post("/nothing", data=b"plain", headers={"Content-Encoding": "gzip"}) as response,
    ):
        assert (response.status, response.headers["Connection"]) == (404, "close")


async def test_a_tensor_larger_than_aiohttps_own_limit_is_read():
    values = list(range(200_000))
    body = {"inputs": [{**X, "shape": [len(values)], "data": values}]}
    data = io.BytesIO(json.dumps(body).encode())
    async with client() as session, session.post(INFER, data=data) as response:
        assert [len(values)] == (await response.json())["outputs"][0]["shape"]


async def test_a_failing_model_is_a_500_of_that_request_alone():
    class Moody(LinearModel):
        def predict(self, inputs, /):
            if inputs["x"][0] == 13:
                raise ValueError("unlucky")
            return super().predict(inputs)

    repository = ModelRepository()
    repository.add("linear", Moody())
    async with client(repository) as session:
        async with session.post("/predict", json={"x": 13}) as response:
            assert response.status == 500
            assert (await response.json())["error"] == "model 'linear' version 1 failed: ValueError: unlucky"
        async with session.post("/predict", json={"x": 2.5}) as response:
            assert response.status == 200


@pytest.mark.filterwarnings("ignore:overflow")
async def test_a_result_that_is_not_finite_is_a_500_that_names_the_output():
    repository = ModelRepository()
    repository.add("linear", LinearModel(bias=1e308, weight=1e308))
    async with client(repository) as session, session.post("/predict", json={"x": 10}) as response:
        assert response.status == 500
        assert "output 'prediction': holds NaN or infinity" in (await response.json())["error"]


async def test_without_models_it_lives_but_is_not_ready():
    """R1, R2, D2: an empty set of models is not ready, which is a 503."""
    async with client(ModelRepository()) as session:
        async with session.get("/v2/health/live") as response:
            assert response.status == 200
        async with session.get("/v2/health/ready") as response:
            assert (response.status, (await response.json())["ready"]) == (503, False)
        async with session.post("/predict", json={"x": 1}) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")


async def test_a_model_that_did_not_load_is_known_and_its_reason_is_told(tmp_path, publish):
    """R3."""
    publish(tmp_path, "m", 1, sha256="0" * 64)
    repository = ModelRepository(tmp_path)
    repository.add("linear", LinearModel())
    await repository.refresh()
    async with client(repository) as session:
        for path in ("/v2/models/m/ready", "/v1/models/m", "/v2/models/m"):
            async with session.get(path) as response:
                assert response.status == 503
                assert "SHA-256" in (await response.json())["error"]
        async with session.post("/v2/repository/index", json={"ready": False}) as response:
            (entry,) = await response.json()
            assert (entry["name"], entry["version"], entry["state"]) == ("m", "1", "UNAVAILABLE")
        async with session.post("/v2/repository/index") as response:
            assert [one["name"] for one in await response.json()] == ["linear", "m"]


async def test_metrics_count_by_model_and_by_nothing_a_client_can_invent():
    async with client() as session:
        for path in ("/v2/models/linear/infer", "/v2/models/invented-1/infer", "/v2/models/invented-2/infer"):
            async with session.post(path, json={"inputs": [X]}):
                pass
        async with session.get("/metrics") as response:
            text = await response.text()
    assert 'windlass_serving_requests_total{code="200",model="linear",protocol="v2",version="1"} 1.0' in text
    assert 'windlass_serving_requests_total{code="404",model="",protocol="v2",version=""} 2.0' in text
    assert "invented" not in text
    assert 'le="0.8"' in text
    assert "windlass_serving_models_loaded 1.0" in text


async def test_scrapers_get_the_format_they_accept():
    async with (
        client() as session,
        session.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as response,
    ):
        assert response.content_type == "application/openmetrics-text"
        assert (await response.text()).endswith("# EOF\n")
