"""What a schema says about a value, decided here as an API server would decide it; all faults are found, not the first.

It serves to check defaults at import (S-18), and objects before any server sees them. It reads the keywords that
``schema`` writes.

This module does not know classes or kinds. It leaves CEL rules to the server.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from windlass.informers.errors import StructureError
from windlass.informers.typed import ObjectMeta, structure
from windlass.manifests.expectations import JsonSchema, expected_number, expected_type
from windlass.manifests.formats import FORMATS, fits
from windlass.manifests.patterns import as_in_go

__all__ = ("JsonSchema", "faults")

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "array": list,
    "object": dict,
}
_Fault: TypeAlias = str
_API_VERSION: Final = re.compile(r"[^/]*(/[^/]*)?")
_KIND: Final = re.compile(r"[A-Za-z]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?", re.ASCII)


@attrs.frozen
class _Settings:
    """Whether a field that no schema names is a fault."""

    refuse_unknown: bool = True


def faults(value: object, schema: JsonSchema, *, path: str = "$", refuse_unknown: bool = True) -> list[str]:
    """Return every fault of ``value`` as ``$.spec.replicas: expected …, found …``; empty if it is valid.

    A field that the schema does not name is a fault as well, since the server would prune it; with ``refuse_unknown``
    false it is passed over, as by a server that prunes.
    """
    return list(_faults(value, schema, path, _Settings(refuse_unknown)))


def _faults(value: object, schema: JsonSchema, path: str, settings: _Settings) -> Iterator[_Fault]:
    if value is None:
        # A field without a type and without `nullable` takes anything, null included.
        if not schema.get("nullable") and ("type" in schema or _is_int_or_string(schema)):
            yield _fault(path, expected_type(schema), value)
        return
    if not _has_type(value, schema):
        yield _fault(path, expected_type(schema), value)
        return
    if "enum" in schema and not any(_equal(value, allowed) for allowed in schema["enum"]):
        yield _fault(path, f"one of {', '.join(json.dumps(allowed) for allowed in schema['enum'])}", value)
    if isinstance(value, str):
        yield from _string_faults(value, schema, path)
    elif isinstance(value, list):
        yield from _list_faults(value, schema, path, settings)
    elif isinstance(value, dict):
        yield from _object_faults(value, schema, path, settings)
    elif isinstance(value, int | float) and not isinstance(value, bool) and not _is_within(value, schema):
        yield _fault(path, expected_number(schema), value)
    yield from _combination_faults(value, schema, path)


def _fault(path: str, expected: str, found: object) -> _Fault:
    return f"{path}: expected {expected}, found {json.dumps(found, default=repr, ensure_ascii=False)}"


def _is_int_or_string(schema: JsonSchema) -> bool:
    return bool(schema.get("x-kubernetes-int-or-string"))


def _has_type(value: object, schema: JsonSchema) -> bool:
    if _is_int_or_string(schema):
        return isinstance(value, str) or _is_whole(value)
    if "type" not in schema:
        return True
    wanted = schema["type"]
    if wanted == "integer":
        return _is_whole(value)
    if wanted == "string" and isinstance(value, list) and schema.get("format") in FORMATS:
        return True  # servers leave a text with a format to the check of formats, which looks at no list
    # In Python True is an int; in JSON it is not.
    return isinstance(value, _TYPES[wanted]) and (not isinstance(value, bool) or wanted == "boolean")


def _is_whole(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def _equal(left: object, right: object) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _is_within(value: int | float, schema: JsonSchema) -> bool:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    return (
        (low is None or (value > low if schema.get("exclusiveMinimum") else value >= low))
        and (high is None or (value < high if schema.get("exclusiveMaximum") else value <= high))
        and (step is None or math.isclose(value / step, round(value / step), rel_tol=1e-9, abs_tol=1e-9))
    )


def _string_faults(value: str, schema: JsonSchema, path: str) -> Iterator[_Fault]:
    yield from _count_faults(len(value), schema, path=path, keywords=("minLength", "maxLength", "characters"))
    if "pattern" in schema and as_in_go(schema["pattern"]).search(value) is None:
        yield _fault(path, f"text that matches {schema['pattern']}", value)
    if "format" in schema and not fits(value, schema["format"]):
        yield _fault(path, f"text in the format {schema['format']}", value)


def _count_faults(count: int, schema: JsonSchema, *, path: str, keywords: tuple[str, str, str]) -> Iterator[_Fault]:
    low, high, noun = keywords
    if count < schema.get(low, 0):
        yield f"{path}: expected at least {schema[low]} {noun}, found {count}"
    if high in schema and count > schema[high]:
        yield f"{path}: expected at most {schema[high]} {noun}, found {count}"


def _list_faults(value: list[object], schema: JsonSchema, path: str, settings: _Settings) -> Iterator[_Fault]:
    yield from _count_faults(len(value), schema, path=path, keywords=("minItems", "maxItems", "items"))
    for index, item in enumerate(value):
        yield from _faults(item, schema.get("items", {}), f"{path}[{index}]", settings)
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


def _object_faults(value: Mapping[str, object], schema: JsonSchema, path: str, settings: _Settings) -> Iterator[_Fault]:
    yield from _count_faults(len(value), schema, path=path, keywords=("minProperties", "maxProperties", "entries"))
    properties: Mapping[str, JsonSchema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}: expected a value, found none"
    if schema.get("x-kubernetes-embedded-resource"):
        yield from _resource_faults(value, path)
    for name, each in value.items():
        inner = properties.get(name, schema.get("additionalProperties"))
        if isinstance(inner, dict):
            yield from _faults(each, inner, f"{path}.{name}", settings)
        elif settings.refuse_unknown and "type" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            known = ", ".join(sorted(properties)) or "none at all"
            yield f"{path}.{name}: expected a field out of {known}, found another"


def _resource_faults(value: Mapping[str, object], path: str) -> Iterator[_Fault]:
    """An embedded resource says what it is, and its metadata are metadata (S-12)."""
    for name, check, expected in (
        ("apiVersion", _API_VERSION, "version or group/version"),
        ("kind", _KIND, "letters, digits and '-', at most 63"),
    ):
        if not value.get(name):
            yield f"{path}.{name}: expected a value, found none"
        elif not isinstance(said := value[name], str) or not check.fullmatch(said):
            yield _fault(f"{path}.{name}", expected, said)
    metadata: Any = value.get("metadata")
    try:
        structure({} if metadata is None else metadata, ObjectMeta)
    except StructureError as error:
        yield from (f"{path}.metadata{fault.removeprefix('$')}" for fault in error.faults)


def _combination_faults(value: object, schema: JsonSchema, path: str) -> Iterator[_Fault]:
    """Inside of combinations stand value checks only, so unknown fields are no concern there (S-05)."""
    within = _Settings(refuse_unknown=False)
    for part in schema.get("allOf", ()):
        yield from _faults(value, part, path, within)
    if _is_int_or_string(schema):
        alternatives: Sequence[JsonSchema] = ()
    else:
        alternatives = schema.get("anyOf", ())
    if alternatives and not any(_is_valid(value, part, path) for part in alternatives):
        yield f"{path}: expected {_choices(alternatives, 'one or more')}, found none"
    exclusive: Sequence[JsonSchema] = schema.get("oneOf", ())
    if exclusive and (valid := sum(_is_valid(value, part, path) for part in exclusive)) != 1:
        yield f"{path}: expected {_choices(exclusive, 'exactly one')}, found {valid or 'none'}"
    if "not" in schema and _is_valid(value, schema["not"], path):
        yield f"{path}: expected anything but {_said(schema['not'])}, found that"


def _is_valid(value: object, schema: JsonSchema, path: str) -> bool:
    return next(_faults(value, schema, path, _Settings(refuse_unknown=False)), None) is None


def _choices(parts: Sequence[JsonSchema], how_many: str) -> str:
    return f"{how_many} of {', '.join(_said(part) for part in parts)}"


def _said(part: JsonSchema) -> str:
    """A part in a few words: the fields it wants where that is all it says, else the part itself."""
    if set(part) == {"required"}:
        return " with ".join(part["required"])
    if set(part) == {"anyOf"}:
        return " or ".join(_said(one) for one in part["anyOf"])
    return json.dumps(part, sort_keys=True, ensure_ascii=False)
