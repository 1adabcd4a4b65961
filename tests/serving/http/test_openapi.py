"""The OpenAPI document, held against the routes, a validator, and what the endpoint really answers."""

import json
import re

import aiohttp
import jsonschema
import pytest
from openapi_spec_validator import validate

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.http.openapi import document, rendered
from windlass.serving.http.schemas import SCHEMAS, reference
from windlass.serving.tensors import DATATYPES

# aiohttp cannot route on the verb after the colon, so one route stands for the model and for its verbs.
ROUTED = {
    "/v1/models/{model}:explain": "/v1/models/{target}",
    "/v1/models/{model}/versions/{version}:explain": "/v1/models/{model}/versions/{target}",
    "/v1/models/{model}:predict": "/v1/models/{target}",
    "/v1/models/{model}": "/v1/models/{target}",
    "/v1/models/{model}/versions/{version}:predict": "/v1/models/{model}/versions/{target}",
    "/v1/models/{model}/versions/{version}": "/v1/models/{model}/versions/{target}",
}
X = {"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}
BODIES = {
    "PlainRequest": {"x": 2.5},
    "PredictRequest": {"instances": [2.5]},
    "InferRequest": {"inputs": [X]},
    "IndexRequest": {"ready": True},
}


def linear():
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    return repository


def operations():
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def schema_name(content):
    return content["application/json"]["schema"].get("$ref", "").rpartition("/")[2]


def check(value, schema):
    """Raise unless the value is as the document says."""
    jsonschema.Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}}).validate(value)


def test_the_document_is_valid_openapi():
    validate(json.loads(rendered()))


def test_every_route_is_described_and_nothing_else():
    routes = Endpoint(linear()).app.router.routes()
    routed = {(one.method.lower(), one.resource.canonical) for one in routes if one.method not in ("HEAD", "*")}
    assert {(method, ROUTED.get(path, path)) for method, path, _ in operations()} == routed


def test_every_schema_is_used():
    written = rendered().decode()
    assert [name for name in SCHEMAS if f'schemas/{name}"' not in written] == []


@pytest.mark.realtime
async def test_every_path_answers_as_described():
    async with Endpoint(linear(), port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        for method, template, operation in operations():
            path = template.format(model="linear", version="1")
            body = operation.get("requestBody")
            data = body and json.dumps(BODIES[schema_name(body["content"])])
            async with session.request(method, path, data=data) as response:
                assert response.status == 200, path
                content = operation["responses"]["200"]["content"]
                assert response.content_type in content, path
                if response.content_type == "application/json":
                    check(await response.json(), content["application/json"]["schema"])


@pytest.mark.realtime
async def test_every_error_is_one_that_is_described():
    async with Endpoint(linear(), port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        for method, template, operation in operations():
            for name, kind in (
                ("nothing", "application/json"),
                ("linear", "application/json"),
                ("linear", "image/png"),
            ):
                path = re.sub("{model}", name, template).format(version="1")
                headers = {"Content-Type": kind} if method == "post" else {}
                async with session.request(method, path, data=b"[" if headers else None, headers=headers) as response:
                    if response.status == 200:
                        continue
                    described = operation["responses"][str(response.status)]["content"]["application/json"]["schema"]
                    assert described == reference("Error")
                    check(await response.json(), described)


def test_the_schema_of_a_request_knows_every_datatype():
    """R12."""
    for datatype in DATATYPES:
        check({"inputs": [{**X, "datatype": datatype}]}, reference("InferRequest"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [{**X, "datatype": "FLOAT"}]},
        {"inputs": [{**X, "shape": [0]}]},
        {"inputs": [{**X, "data": 1}]},
        {"inputs": [{**X, "parameters": {"a": []}}]},
        {"inputs": [X], "id": 7},
        {"inputs": [X], "parameters": {"timeout": -1}},
        {"inputs": [X], "parameters": {"priority": "high"}},
        {"inputs": [X], "parameters": {"binary_data_output": 1}},
    ],
)
def test_the_schema_of_a_request_refuses_what_the_endpoint_refuses(body):
    """R9, R14."""
    with pytest.raises(jsonschema.ValidationError):
        check(body, reference("InferRequest"))


def controlled():
    paths = document(control=True)["paths"].items()
    return {path: item["post"] for path, item in paths if "/repository/models/" in path}


def test_loading_by_request_is_described_where_it_is_routed():
    validate(json.loads(rendered(control=True)))
    assert "/repository/models/" not in rendered().decode()
    routes = Endpoint(linear(), options=EndpointOptions(repository_control=True)).app.router.routes()
    assert {one.resource.canonical for one in routes if "/repository/models/" in one.resource.canonical} == {
        *controlled()
    }


@pytest.mark.realtime
async def test_loading_by_request_answers_as_described(tmp_path, publish):
    publish(tmp_path, "m", 1)
    endpoint = Endpoint(ModelRepository(tmp_path), port=0, options=EndpointOptions(repository_control=True))
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
        async with session.get("/openapi.json") as response:
            assert (await response.json())["paths"].keys() >= controlled().keys()
        for template, operation in controlled().items():
            for name, body in (
                ("m", None),
                ("m", {"parameters": None}),
                ("nobody", {}),
                ("m", {"parameters": {"a": 1}}),
            ):
                async with session.post(template.format(model=name), json=body or {}) as response:
                    described = operation["responses"][str(response.status)]["content"]["application/json"]["schema"]
                    check(await response.json(), described)
                    assert response.status == {"m": 200, "nobody": 404}[name] or body == {"parameters": {"a": 1}}
