"""The paths of the API as OpenAPI, with the schemas that the values of a route have: from the classes themselves."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from windlass.serving.http.schemas import Schema, reference
from windlass.serving.traffic.route import Route

__all__ = ("operations", "schemas")

_STRING: Schema = {"type": "string"}
_ETAG: Schema = {"ETag": {"description": "Of the route and its weights.", "schema": _STRING}}
_IF_MATCH: Schema = {"name": "If-Match", "in": "header", "description": "The ETag.", "schema": _STRING}
_IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "For a new route.",
    "schema": {"type": "string", "enum": ["*"]},
}
_ROUTE: Schema = {"name": "route", "in": "path", "required": True, "schema": _STRING}


@cache
def schemas() -> dict[str, Schema]:
    """The schemas that `operations` refers to, by name."""
    _, components = msgspec.json.schema_components([Route], ref_template="#/components/schemas/{name}")
    route: dict[str, Any] = components["Route"]
    # The name is in the path.
    route["properties"].pop("name")
    route["required"].remove("name")
    weights: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    routes: Schema = {"type": "object", "additionalProperties": reference("Route")}
    reward: Schema = {"unit": {**_STRING, "minLength": 1}, "reward": {"type": "number"}}
    rewards: Schema = {"type": "array", "items": _object(reward, "unit", "reward")}
    return {
        **components,
        "RouteList": _object({"routes": routes, "problem": _STRING}, "routes"),
        "RouteInForce": _object({"name": _STRING, "route": reference("Route"), "weights": weights}, "route", "weights"),
        "ExperimentState": _object({"name": _STRING, "state": _STRING, "why": _STRING}, "name", "state", "why"),
        "Rewards": _object({"rewards": rewards}, "rewards"),
        "RewardsCounted": _object({"counted": {"type": "integer", "minimum": 0}}, "counted"),
    }


def operations() -> Iterator[tuple[str, str, Schema]]:
    """Method, path and operation of each."""
    one = "/v2/traffic/{route}"
    changing: list[Schema] = [_IF_MATCH, _IF_NONE_MATCH]
    yield "get", "/v2/traffic", {"summary": "All routes", "responses": {"200": _json("RouteList")}}
    yield "get", one, _operation("A route and its weights", _in_force(), (404,))
    put = _operation(
        "Put a route in, or replace it", {**_in_force(), **_in_force("201")}, (400, 409, 412, 413, 415, 428)
    )
    yield "put", one, {**put, "parameters": [_ROUTE, *changing], "requestBody": _body("Route")}
    delete = _operation("Take a route away", {"204": {"description": "Gone"}}, (404, 409, 412, 428))
    yield "delete", one, {**delete, "parameters": [_ROUTE, _IF_MATCH]}
    yield "get", f"{one}/experiment", _operation("Its experiment", {"200": _json("ExperimentState")}, (404,))
    post = _operation("Report rewards of units", {"200": _json("RewardsCounted")}, (400, 404, 413, 415))
    yield "post", f"{one}/rewards", {**post, "requestBody": _body("Rewards")}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _json(schema: str, description: str = "OK") -> Schema:
    return {"description": description, "content": {"application/json": {"schema": reference(schema)}}}


def _in_force(status: str = "200") -> Schema:
    return {status: {**_json("RouteInForce"), "headers": _ETAG}}


def _body(schema: str) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": reference(schema)}}}


def _operation(summary: str, responses: Schema, errors: tuple[int, ...]) -> Schema:
    refusals: Schema = {str(status): _json("Error", "Refused") for status in errors}
    return {"summary": summary, "parameters": [_ROUTE], "responses": {**responses, **refusals}}
