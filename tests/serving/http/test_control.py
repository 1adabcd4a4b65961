"""Loading and unloading by request, over HTTP and gRPC, by clients that were not written here."""

import contextlib
import json

import aiohttp
import grpc
import pytest
import tritonclient.grpc.aio as triton_grpc
import tritonclient.http.aio as triton_http
from tritonclient.utils import InferenceServerException

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.grpc.service import SERVICE

pytestmark = pytest.mark.realtime


@contextlib.asynccontextmanager
async def serving(repository, **options):
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0, **options))
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
        yield endpoint, session


@contextlib.asynccontextmanager
async def triton(endpoint, transport):
    if transport == "http":
        client = triton_http.InferenceServerClient(endpoint.url.removeprefix("http://"))
    else:
        client = triton_grpc.InferenceServerClient(endpoint.grpc_address)
    try:
        yield client
    finally:
        await client.close()


def entries(index):
    found = index if isinstance(index, list) else [{"state": "", **one} for one in index["models"]]
    return {(one["name"], one["version"], one["state"]) for one in found}


async def index_of(client, transport):
    index = await client.get_model_repository_index(**({"as_json": True} if transport == "grpc" else {}))
    return entries(index)


TRANSPORTS = pytest.mark.parametrize("transport", ["http", "grpc"])


@TRANSPORTS
async def test_tritons_client_loads_unloads_and_reads_the_index(tmp_path, publish, transport):
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    publish(tmp_path, "m", 1)
    await repository.refresh()
    async with serving(repository, repository_control=True) as (endpoint, _), triton(endpoint, transport) as client:
        assert await index_of(client, transport) == {("m", "1", "READY")}
        publish(tmp_path, "m", 2)
        await client.load_model("m")
        assert ("m", "2", "READY") in await index_of(client, transport)
        await client.unload_model("m")
        assert await client.is_model_ready("m") is False
        assert ("m", "2", "UNAVAILABLE") in await index_of(client, transport)
        await client.load_model("m")
        assert await client.is_model_ready("m")


@TRANSPORTS
async def test_a_failed_load_is_told_in_one_sentence_and_the_old_version_serves(tmp_path, publish, transport):
    """W8; the body is Triton's: {"error": "failed to load 'm', ..."} with 400."""
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    publish(tmp_path, "m", 1)
    await repository.refresh()
    publish(tmp_path, "m", 2, sha256="0" * 64)
    async with serving(repository, repository_control=True) as (endpoint, _), triton(endpoint, transport) as client:
        with pytest.raises(InferenceServerException, match=r"failed to load 'm': version 2: model\.bin: its SHA-256"):
            await client.load_model("m")
        assert await client.is_model_ready("m", "1")
        with pytest.raises(InferenceServerException, match="failed to load 'nobody': there is no such model"):
            await client.load_model("nobody")
        with pytest.raises(InferenceServerException, match="parameters: 'config' is not supported"):
            await client.load_model("m", config="{}")


async def test_statuses_and_bodies(tmp_path, publish):
    """R10, R11."""
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    repository.add("coded", LinearModel())
    publish(tmp_path, "m", 1)
    publish(tmp_path, "broken", 1, format="pickle")
    await repository.refresh()
    async with serving(repository, repository_control=True) as (_, session):
        for path, body, expected in [
            ("m/load", "", 200),
            ("m/load", "{}", 200),
            ("m/unload", '{"parameters": {"unload_dependents": true}}', 200),
            ("m/load", '{"parameters": {"file:1/model.bin": "AAAA"}}', 400),
            ("m/load", '{"parameters": {"nested": {}}}', 400),
            ("m/load", "{", 400),
            ("broken/load", "", 400),
            ("coded/unload", "", 400),
            ("nobody/load", "", 404),
            ("nobody/unload", "", 404),
        ]:
            async with session.post(f"/v2/repository/models/{path}", data=body) as response:
                content = await response.json()
                assert response.status == expected, (path, body, content)
                assert content == {} if expected == 200 else list(content) == ["error"]
        async with session.get("/v2/repository/models/m/load") as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_it_is_off_unless_it_was_asked_for(tmp_path, publish):
    publish(tmp_path, "m", 1)
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    await repository.refresh()
    async with serving(repository) as (endpoint, session), triton(endpoint, "grpc") as client:
        async with session.post("/v2/repository/models/m/unload") as response:
            assert response.status == 404
        with pytest.raises(InferenceServerException, match="Method not found"):
            await client.unload_model("m")
        async with session.get("/v2") as response:
            assert "model_repository" not in (await response.json())["extensions"]
    repository = ModelRepository(tmp_path)
    async with serving(repository, repository_control=True) as (_, session), session.get("/v2") as response:
        assert "model_repository" in (await response.json())["extensions"]


async def test_metadata_names_all_versions_that_serve_and_each_is_asked_by_its_path(tmp_path, publish):
    """R6."""
    for version in (1, 2):
        publish(tmp_path, "m", version, b'{"bias": %d, "weight": 0}' % version)
    (tmp_path / "m" / "serving.json").write_text('{"versions": "all"}')
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    await repository.refresh()
    request = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [0]}]}
    async with serving(repository) as (_, session):
        async with session.get("/v2/models/m") as response:
            assert (await response.json())["versions"] == ["1", "2"]
        for path, version in (("/v2/models/m", 2), ("/v2/models/m/versions/1", 1), ("/v2/models/m/versions/2", 2)):
            async with session.post(f"{path}/infer", data=json.dumps(request)) as response:
                content = await response.json()
                assert (content["model_version"], content["outputs"][0]["data"]) == (str(version), [version])
        async with session.get("/v2/models") as response:
            assert await response.json() == {"models": ["m"]}


async def test_kserves_messages_of_the_same_names_are_understood(tmp_path, publish):
    """KServe has the model's name in the first field, where Triton has the repository's, and reads an answer."""
    publish(tmp_path, "m", 1)
    repository = ModelRepository(tmp_path, poll_seconds=3600)
    await repository.refresh()
    name_in_the_first_field = b"\x0a\x01m"
    async with (
        serving(repository, repository_control=True) as (endpoint, _),
        grpc.aio.insecure_channel(endpoint.grpc_address) as channel,
    ):
        for method, serves in (("Unload", False), ("Load", True)):
            call = channel.unary_unary(f"/{SERVICE}/RepositoryModel{method}")
            assert await call(name_in_the_first_field) == name_in_the_first_field + b"\x10\x01"
            assert (repository.models() != []) is serves
