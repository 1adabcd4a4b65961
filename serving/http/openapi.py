"""The endpoint's OpenAPI 3.1 document: every path that is routed, and no other.

Server-relative, so that it is right wherever the endpoint is mounted. The tests hold it against the routes and hold
live answers against its schemas.
"""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus

import msgspec

from windlass.serving.http.schemas import SCHEMAS, Schema, reference
from windlass.serving.protocols import v2
from windlass.serving.traffic import openapi as traffic

__all__ = ("document", "rendered")

# Where the endpoint wants to know who asks, any path can answer these.
_REFUSING = (401, 403)
# Whatever reads a body can answer these; what follows is for what computes.
_READING = (400, 408, 413, 415)
_COMPUTING = (404, 429, 500, 503, 504)

_HEADER_LENGTH: Schema = {
    "name": v2.HEADER_LENGTH,
    "in": "header",
    "description": "The length of the body's JSON part, when raw tensors follow it; 0 for a body of one raw tensor.",
    "schema": {"type": "integer", "minimum": 0},
}


def document(*, page: bool = True, routes: bool = False, control: bool = False) -> Schema:
    """The document, as JSON-shaped values.

    `page`, `routes` and `control` are whether the page, the API of routes, and loading by request are there.
    """
    about = v2.server_metadata()
    paths: dict[str, Schema] = {}
    more = [*(_page() if page else ()), *(traffic.operations() if routes else ()), *(_control() if control else ())]
    for method, path, operation in (*_operations(), *more):
        responses = {**_errors(_REFUSING), **_responses(operation)}
        paths.setdefault(path, {})[method] = {**operation, "responses": responses}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Windlass inference endpoint", "version": about["version"]},
        "servers": [{"url": "./"}],
        # Nothing, or a token: which of them, is said where the endpoint is run.
        "security": [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **(traffic.schemas() if routes else {})},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


@cache
def rendered(*, page: bool = True, routes: bool = False, control: bool = False) -> bytes:
    """The document, as JSON."""
    return msgspec.json.encode(document(page=page, routes=routes, control=control))


def _operations() -> Iterator[tuple[str, str, Schema]]:
    yield _get("/", "Whether the process lives", "Alive")
    for path in ("/healthz", "/v2/health/live"):
        yield _get(path, "Whether the process lives", "Live")
    for path in ("/readyz", "/v2/health/ready"):
        yield _ready(path)
    yield _text("/metrics", "Metrics for Prometheus")
    yield "get", "/openapi.json", _operation("This document", {"200": _json({"type": "object"})})
    for path in ("/v2", "/v2/"):
        yield _get(path, "Name, version and extensions of the server", "ServerMetadata")
    for path in ("/v1/models", "/v2/models"):
        yield _get(path, "The names of the models that serve", "ModelList")
    yield _post("/predict", "One row for the model that answers here", ("PlainRequest", "PlainResponse"))
    index = _post("/v2/repository/index", "Every version that is known, with its state", ("IndexRequest", "Index"))
    index[2]["requestBody"] = {**_body("IndexRequest"), "required": False}
    yield index
    for version in ("", "/versions/{version}"):
        model = f"/v1/models/{{model}}{version}"
        yield _get(model, "Whether the model serves", "ModelReady", errors=(404, 503))
        yield _post(f"{model}:predict", "As many predictions as instances", ("PredictRequest", "PredictResponse"))
        yield _post(f"{model}:explain", "As many explanations as instances", ("PredictRequest", "ExplainResponse"))
        model = f"/v2/models/{{model}}{version}"
        yield _get(model, "Inputs, outputs and versions of the model", "ModelMetadata", errors=(404, 503))
        yield _get(f"{model}/ready", "Whether the model serves", "ModelReady", errors=(404, 503))
        yield _infer(f"{model}/infer")


def _page() -> Iterator[tuple[str, str, Schema]]:
    html: Schema = {"text/html": {"schema": {"type": "string"}}}
    yield "get", "/page", _operation("A page for people", {"200": {"description": "OK", "content": html}})
    yield _get("/page/state", "What the page shows", "PageState")


def _control() -> Iterator[tuple[str, str, Schema]]:
    dependents: Schema = {"unload_dependents": {"type": ["string", "number", "boolean"]}}
    for verb, summary, known in (
        ("load", "Load the model, or load it again", {}),
        ("unload", "Take the model away, on demand with the ensembles that ask it", dependents),
    ):
        path = f"/v2/repository/models/{{model}}/{verb}"
        parameters: Schema = {"type": ["object", "null"], "properties": known, "additionalProperties": False}
        body: Schema = {"type": "object", "properties": {"parameters": parameters}}
        content: Schema = {"application/json": {"schema": body}}
        responses = {"200": _json({"type": "object"}), **_errors((*_READING, 404, 429))}
        operation = _operation(summary, responses, _path_parameters(path))
        yield "post", path, {**operation, "requestBody": {"required": False, "content": content}}


def _get(path: str, summary: str, schema: str, errors: tuple[int, ...] = ()) -> tuple[str, str, Schema]:
    responses = {"200": _json(reference(schema)), **_errors(errors)}
    return "get", path, _operation(summary, responses, _path_parameters(path))


def _ready(path: str) -> tuple[str, str, Schema]:
    ready = _json(reference("Ready"))
    responses: Schema = {"200": ready, "503": {**ready, "description": "Not ready, and why"}}
    return "get", path, _operation("Whether requests should be sent here", responses)


def _text(path: str, summary: str) -> tuple[str, str, Schema]:
    content = {"text/plain": {"schema": {"type": "string"}}, "application/openmetrics-text": {"schema": {}}}
    return "get", path, _operation(summary, {"200": {"description": "OK", "content": content}})


def _post(path: str, summary: str, schemas: tuple[str, str]) -> tuple[str, str, Schema]:
    asked, answered = schemas
    responses = {"200": _json(reference(answered)), **_errors((*_READING, *_COMPUTING))}
    operation = _operation(summary, responses, _path_parameters(path))
    return "post", path, {**operation, "requestBody": _body(asked)}


def _infer(path: str) -> tuple[str, str, Schema]:
    method, path, operation = _post(path, "A prediction, protocol v2", ("InferRequest", "InferResponse"))
    raw: Schema = {"schema": {"type": "string", "format": "binary"}}
    content: Schema = {"application/json": {"schema": reference("InferRequest")}, "application/octet-stream": raw}
    answered: Schema = {"application/json": {"schema": reference("InferResponse")}, "application/octet-stream": raw}
    header = {v2.HEADER_LENGTH: {"description": "Only when raw tensors follow.", "schema": {"type": "integer"}}}
    ok: Schema = {"description": "OK", "content": answered, "headers": header}
    responses: Schema = {"200": ok, **_errors((*_READING, *_COMPUTING))}
    parameters = [*_path_parameters(path), _HEADER_LENGTH]
    body: Schema = {"required": True, "content": content}
    return method, path, {**operation, "responses": responses, "parameters": parameters, "requestBody": body}


def _operation(summary: str, responses: Schema, parameters: list[Schema] | None = None) -> Schema:
    operation: Schema = {"summary": summary, "responses": responses}
    return {**operation, "parameters": parameters} if parameters else operation


def _path_parameters(path: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("model", "version")
        if f"{{{name}}}" in path
    ]


def _body(schema: str) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": reference(schema)}}}


def _json(schema: Schema) -> Schema:
    return {"description": "OK", "content": {"application/json": {"schema": schema}}}


def _responses(operation: Schema) -> Schema:
    found = operation["responses"]
    assert isinstance(found, dict)
    return found


def _errors(codes: tuple[int, ...]) -> Schema:
    return {str(code): {**_json(reference("Error")), "description": HTTPStatus(code).phrase} for code in codes}
