"""An object inside an object (`x-kubernetes-embedded-resource`) is held to the rules of objects. Pure.

Its metadata are decoded first, which drops what metadata do not know and refuses wrong types (400); then apiVersion,
kind and the content of the metadata are checked like any other value (422). A name is not asked for.
"""

import re
from collections.abc import Iterator
from typing import Any

import attrs

from windlass.envtest.apiserver import objects
from windlass.envtest.apiserver.errors import Fault, bad_request
from windlass.envtest.apiserver.values import Json

__all__ = ("coerce_embedded", "embedded_faults")

_KIND = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")


def coerce_embedded(obj: Json, schema: Json) -> None:
    """Drop unknown metadata of the embedded objects; raises 400 where something has the wrong type. Changes `obj`."""
    for value, path in _embedded(obj, schema, ""):
        for field in ("apiVersion", "kind"):
            if not isinstance(value.get(field, ""), str):
                raise bad_request(f"{path}.{field}: must be a string")
        metadata = value.get("metadata")
        if metadata is None:
            continue
        problem = objects.shape_faults(metadata)
        if problem:
            raise bad_request(f"{path}.{problem}")
        for field in [field for field in metadata if field not in objects.METADATA_FIELDS]:
            del metadata[field]


def embedded_faults(obj: Json, schema: Json) -> list[Fault]:
    """What is wrong with the embedded objects."""
    return [fault for value, path in _embedded(obj, schema, "") for fault in _faults(value, path)]


def _faults(value: Json, path: str) -> Iterator[Fault]:
    for field in ("apiVersion", "kind"):
        if field not in value:
            yield Fault.required(f"{path}.{field}", "must not be empty")
        elif not value[field]:
            yield Fault.invalid(f"{path}.{field}", "", "must not be empty")
    version, kind = value.get("apiVersion") or "", value.get("kind") or ""
    if version.count("/") > 1:
        yield Fault.invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    if kind and not _KIND.match(kind.lower()):
        yield Fault.invalid(f"{path}.kind", kind, "may have mixed case, but should otherwise be a DNS-1035 label")
    for fault in objects.content_faults(value.get("metadata") or {}):
        yield attrs.evolve(fault, field=f"{path}.{fault.field}")


def _embedded(value: Any, schema: Any, path: str) -> Iterator[tuple[Json, str]]:
    if not isinstance(schema, dict):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _embedded(item, schema.get("items"), f"{path}[{index}]")
    elif isinstance(value, dict):
        if schema.get("x-kubernetes-embedded-resource"):
            yield value, path
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            yield from _embedded(item, properties.get(key, additional), f"{path}.{key}" if path else key)
