"""What a schema says about a value, decided here as an API server would decide it; all faults are found, not the first.

It serves to check defaults at import (S-18), before any server sees them. It reads the keywords that ``schema`` writes.

This module does not know classes or kinds. It leaves named formats and CEL rules to the server.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

__all__ = ("JsonSchema", "faults")

JsonSchema: TypeAlias = dict[str, Any]
"""One node of a structural OpenAPI v3 schema, as plain JSON."""

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}


def faults(value: object, schema: JsonSchema, *, path: str = "$") -> list[str]:
    """Return every fault of ``value`` as ``$.spec.replicas: expected …, found …``; empty if it is valid.

    A field that the schema does not name is a fault as well, since the server would prune it.
    """
    return list(_faults(value, schema, path))


def _faults(value: object, schema: JsonSchema, path: str) -> Iterator[str]:
    if value is None:
        # A field without a type and without `nullable` takes anything, null included.
        if not schema.get("nullable") and ("type" in schema or _is_int_or_string(schema)):
            yield _fault(path, _type_name(schema), value)
        return
    if not _has_type(value, schema):
        yield _fault(path, _type_name(schema), value)
        return
    if "enum" in schema and not any(_equal(value, allowed) for allowed in schema["enum"]):
        yield _fault(path, f"one of {', '.join(json.dumps(allowed) for allowed in schema['enum'])}", value)
    if isinstance(value, str):
        yield from _string_faults(value, schema, path)
    elif isinstance(value, list):
        yield from _list_faults(value, schema, path)
    elif isinstance(value, dict):
        yield from _object_faults(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_faults(value, schema, path)


def _fault(path: str, expected: str, found: object) -> str:
    return f"{path}: expected {expected}, found {json.dumps(found, default=repr, ensure_ascii=False)}"


def _is_int_or_string(schema: JsonSchema) -> bool:
    return bool(schema.get("x-kubernetes-int-or-string"))


def _type_name(schema: JsonSchema) -> str:
    if _is_int_or_string(schema):
        return "an integer or a string"
    name = schema["type"]
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _has_type(value: object, schema: JsonSchema) -> bool:
    if _is_int_or_string(schema):
        return isinstance(value, int | str) and not isinstance(value, bool)
    if "type" not in schema:
        return True
    wanted = schema["type"]
    # In Python True is an int; in JSON it is not.
    return isinstance(value, _TYPES[wanted]) and (not isinstance(value, bool) or wanted == "boolean")


def _equal(left: object, right: object) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _number_faults(value: int | float, schema: JsonSchema, path: str) -> Iterator[str]:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        yield _fault(
            path, f"a number {'greater than' if schema.get('exclusiveMinimum') else 'of at least'} {low}", value
        )
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        yield _fault(path, f"a number {'less than' if schema.get('exclusiveMaximum') else 'of at most'} {high}", value)
    if step is not None and value / step != round(value / step):
        yield _fault(path, f"a multiple of {step}", value)


def _string_faults(value: str, schema: JsonSchema, path: str) -> Iterator[str]:
    yield from _count_faults(len(value), schema, path=path, keywords=("minLength", "maxLength", "characters"))
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield _fault(path, f"text that matches {schema['pattern']}", value)


def _count_faults(count: int, schema: JsonSchema, *, path: str, keywords: tuple[str, str, str]) -> Iterator[str]:
    low, high, noun = keywords
    if count < schema.get(low, 0):
        yield f"{path}: expected at least {schema[low]} {noun}, found {count}"
    if high in schema and count > schema[high]:
        yield f"{path}: expected at most {schema[high]} {noun}, found {count}"


def _list_faults(value: list[object], schema: JsonSchema, path: str) -> Iterator[str]:
    yield from _count_faults(len(value), schema, path=path, keywords=("minItems", "maxItems", "items"))
    for index, item in enumerate(value):
        yield from _faults(item, schema.get("items", {}), f"{path}[{index}]")
    kind = schema.get("x-kubernetes-list-type")
    if kind in ("set", "map"):
        keys = schema.get("x-kubernetes-list-map-keys", ())
        seen: set[str] = set()
        for index, item in enumerate(value):
            identity = _identity(item, keys, schema)
            if identity in seen:
                yield f"{path}[{index}]: expected no duplicates, found {identity} twice"
            seen.add(identity)


def _identity(item: object, keys: Sequence[str], schema: JsonSchema) -> str:
    if keys and isinstance(item, dict):
        properties = schema["items"].get("properties", {})
        item = {key: item.get(key, properties.get(key, {}).get("default")) for key in keys}
    return json.dumps(item, sort_keys=True)


def _object_faults(value: Mapping[str, object], schema: JsonSchema, path: str) -> Iterator[str]:
    yield from _count_faults(len(value), schema, path=path, keywords=("minProperties", "maxProperties", "entries"))
    properties: Mapping[str, JsonSchema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}: expected a value, found none"
    for name, each in value.items():
        inner = properties.get(name, schema.get("additionalProperties"))
        if inner is not None:
            yield from _faults(each, inner, f"{path}.{name}")
        elif "type" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            known = ", ".join(sorted(properties)) or "none at all"
            yield f"{path}.{name}: expected a field out of {known}, found another"
