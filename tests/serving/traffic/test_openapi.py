"""The API of routes as the endpoint's OpenAPI document describes it, held against routes and answers."""

import json

import aiohttp
import jsonschema
import pytest
from openapi_spec_validator import validate

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.http.openapi import document, rendered
from windlass.serving.traffic import Arm, Experiment, Route, Routes, TrafficOptions, route_to_dict

ROUTE = Route(
    "m", (Arm("a", "one", weight=90), Arm("b", "one", weight=10)), experiment=Experiment("e", "a", "b", steps=(10, 50))
)


def described():
    return {
        (method, path): operation
        for path, item in document(routes=True)["paths"].items()
        for method, operation in item.items()
        if path.startswith("/v2/traffic")
    }


def check(value, schema):
    components = document(routes=True)["components"]
    jsonschema.Draft202012Validator({**schema, "components": components}).validate(value)


def endpoint(**options):
    repository = ModelRepository()
    repository.add("one", LinearModel())
    return Endpoint(repository, port=0, options=EndpointOptions(traffic=TrafficOptions(Routes.of(ROUTE), **options)))


def test_the_document_is_valid_with_and_without_them():
    validate(json.loads(rendered(routes=True)))
    assert b"/v2/traffic" not in rendered()
    assert b'"Arm"' not in rendered()


def test_every_path_of_the_api_is_described_and_no_other():
    routes = endpoint(api=True).app.router.routes()
    routed = {(one.method.lower(), one.resource.canonical) for one in routes if one.method != "HEAD"}
    assert {one for one in routed if one[1].startswith("/v2/traffic")} == set(described())


@pytest.mark.realtime
async def test_answers_and_refusals_are_as_described():
    bodies = {"put": route_to_dict(ROUTE), "post": {"rewards": [{"unit": "u", "reward": 1.0}]}}
    async with endpoint(api=True) as running, aiohttp.ClientSession(running.url) as session:
        async with session.get("/openapi.json") as response:
            assert "/v2/traffic/{route}" in (await response.json())["paths"]
        for (method, path), operation in sorted(described().items(), key=lambda one: one[0][0] == "delete"):
            for name, headers in (("m", {}), ("none", {"If-Match": '"x"'}), ("m", {"If-Match": "*"})):
                body = bodies.get(method)
                async with session.request(method, path.format(route=name), json=body, headers=headers) as response:
                    answer = operation["responses"][str(response.status)]
                    if "content" in answer:
                        check(await response.json(), answer["content"]["application/json"]["schema"])
                    assert ("ETag" in response.headers) is ("headers" in answer)


def test_the_schema_of_a_route_refuses_what_the_endpoint_refuses():
    check(route_to_dict(ROUTE), {"$ref": "#/components/schemas/Route"})
    for broken in ({}, {"arms": [{"name": "a"}]}, {"arms": [{"name": "a", "model": 1}]}):
        with pytest.raises(jsonschema.ValidationError):
            check(broken, {"$ref": "#/components/schemas/Route"})
