"""What ``read`` returns an API server would have taken, and what ``written`` returns it will take, CEL rules aside.

``informers.structure`` looks at types alone: a program reads whatever the cluster holds. Here bounds, patterns
and unions count as well, and all faults come in one error.

This module does not know requests or files.
"""

import functools
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from windlass.informers.errors import StructureError
from windlass.informers.typed import CustomResource, structure, unstructure
from windlass.manifests.defaulting import completed
from windlass.manifests.kinds import info_of
from windlass.manifests.schema import schema_of
from windlass.manifests.validation import JsonSchema, faults

__all__ = ("object_faults", "read", "written")

T = TypeVar("T", bound=CustomResource)


def read(raw: bytes | Mapping[str, Any], cls: type[T]) -> T:
    """Return the instance that an object describes, with defaults where it says nothing.

    Unknown fields are passed over, as by a server that prunes; a class with a field marked ``Rest`` keeps them. Raises
    ``StructureError`` with every fault as ``$.spec.replicas: expected an integer from 1 to 10, found 12``.
    """
    value: Any = raw
    if isinstance(raw, bytes):
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StructureError(cls.__name__, [f"$: expected JSON, found {raw[:80]!r} ({error})"]) from error
    if found := object_faults(value, cls):
        raise StructureError(cls.__name__, found)
    return structure(value, cls)


def written(value: CustomResource) -> dict[str, Any]:
    """Return the JSON object of an instance, ready to be sent.

    Raises ``StructureError`` with every fault that a server would find.
    """
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(unstructure(value)))
    if found := object_faults(body, type(value)):
        raise StructureError(type(value).__name__, found)
    return body


def object_faults(value: object, cls: type[CustomResource]) -> list[str]:
    """Return every fault of an object of this kind as a server would find it, what it is called included."""
    schema = _schema(cast("Any", cls))
    found = faults(completed(value, schema), schema, refuse_unknown=False)
    info = info_of(cls)
    resource = info.resource
    if info.scale is not None:
        for path in (info.scale.spec_replicas, info.scale.status_replicas):
            # A schema takes 3.0 for an integer, and the scale subresource does not.
            replicas = _at(value, path)
            if isinstance(replicas, float) or (isinstance(replicas, int) and not 0 <= replicas < 2**31):
                found.append(f"${path}: expected an integer from 0 to {2**31 - 1} for scaling, found {replicas}")
    if isinstance(value, Mapping):
        for name, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
            if value.get(name) != expected:
                found.insert(0, f"$.{name}: expected {expected}, found {value.get(name)!r}")
    return found


def _at(value: object, path: str) -> object:
    for name in path.removeprefix(".").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


@functools.cache
def _schema(cls: type[Any]) -> JsonSchema:
    return schema_of(cls)
