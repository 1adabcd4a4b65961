"""The OpenAPI document of version 2, as JSON and as the protobuf message that kubectl explains kinds from. Pure.

It holds the kinds of definitions; what kubectl does not find there it takes from its own types. As in Kubernetes the
schemas are cut down to what version 2 can say: combinations go, and a free object has no properties. The numbers are
those of the message openapi.v2.Document.
"""

from typing import Any

import msgspec

from windlass.envtest.apiserver.kinds import Registry, Resource
from windlass.envtest.apiserver.values import Json
from windlass.envtest.apiserver.views.discovery import VERSION

__all__ = ("PROTOBUF_V2", "protobuf_v2", "swagger_v2")

PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_TITLE = "Windlass embedded API server"
_KIND = "x-kubernetes-group-version-kind"
_TEXTS = {"format": 2, "title": 3, "description": 4, "pattern": 13}  # field -> number in openapi.v2.Schema
_METADATA = "Standard object's metadata."
_IDENTITY = {
    "apiVersion": {"type": "string", "description": "The versioned schema of this representation of an object."},
    "kind": {"type": "string", "description": "The REST resource this object represents."},
    "metadata": {"type": "object", "description": _METADATA},
}


def swagger_v2(registry: Registry) -> Json:
    """The JSON form."""
    definitions = {_name(resource): _definition(resource) for resource in registry if resource.custom}
    paths = {_path(resource): {"patch": _operation(resource)} for resource in registry if not resource.review}
    return {"swagger": "2.0", "info": {"title": _TITLE, "version": VERSION}, "paths": paths, "definitions": definitions}


def protobuf_v2(registry: Registry) -> bytes:
    """The protobuf form of the same."""
    document = swagger_v2(registry)
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    return (
        _text(1, "2.0")
        + _bytes(2, info)
        + _bytes(8, _paths(document["paths"]))
        + _bytes(9, _named(document["definitions"]))
    )


def _name(resource: Resource) -> str:
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _definition(resource: Resource) -> Json:
    schema = _reduced(resource.schema or {})
    schema["properties"] = _IDENTITY | {
        key: part for key, part in (schema.get("properties") or {}).items() if key not in _IDENTITY
    }
    kind = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    return schema | {"type": "object", _KIND: [kind]}


def _path(resource: Resource) -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    return f"{root}{'/namespaces/{namespace}' if resource.namespaced else ''}/{resource.plural}/{{name}}"


def _operation(resource: Resource) -> Json:
    """Kubectl looks here for what a PATCH of a kind understands."""
    parameters = [{"name": name, "in": "query", "type": "string"} for name in ("dryRun", "fieldManager", "force")]
    kind = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    return {"parameters": parameters, "responses": {"200": {"description": "OK"}}, _KIND: kind}


def _paths(paths: Json) -> bytes:
    return b"".join(
        _bytes(2, _text(1, path) + _bytes(2, _bytes(8, _patch(item["patch"])))) for path, item in paths.items()
    )


def _patch(operation: Json) -> bytes:
    raw = b""
    for parameter in operation["parameters"]:
        query = _text(2, parameter["in"]) + _text(4, parameter["name"])
        raw += _bytes(8, _bytes(1, _bytes(2, _bytes(3, query))))
    return raw + _bytes(13, _extension(operation[_KIND]))


def _extension(value: object) -> bytes:
    return _text(1, _KIND) + _bytes(2, _text(2, msgspec.json.encode(value).decode()))


def _reduced(schema: Json) -> Json:
    """What version 2 can say of a schema."""
    if schema.get("x-kubernetes-int-or-string"):
        return {key: schema[key] for key in ("description",) if key in schema}
    kept: Json = {key: schema[key] for key in ("type", "required", *_TEXTS) if key in schema}
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return {key: part for key, part in kept.items() if key != "required"}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = _reduced(schema[key])
    if schema.get("properties"):
        kept["properties"] = {key: _reduced(part) for key, part in schema["properties"].items()}
    return kept


def _schema(schema: Json) -> bytes:
    raw = b"".join(_text(number, schema[key]) for key, number in _TEXTS.items() if key in schema)
    raw += b"".join(_text(19, name) for name in schema.get("required") or [])
    if "additionalProperties" in schema:
        raw += _bytes(21, _bytes(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        raw += _bytes(22, _text(1, schema["type"]))
    if "items" in schema:
        raw += _bytes(23, _bytes(1, _schema(schema["items"])))
    if "properties" in schema:
        raw += _bytes(25, _named(schema["properties"]))
    if _KIND in schema:
        raw += _bytes(31, _extension(schema[_KIND]))
    return raw


def _named(schemas: Json) -> bytes:
    """A list of named schemas."""
    return b"".join(_bytes(1, _text(1, name) + _bytes(2, _schema(part))) for name, part in schemas.items())


def _text(number: int, value: Any) -> bytes:
    return _bytes(number, str(value).encode())


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    digits: list[int] = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
