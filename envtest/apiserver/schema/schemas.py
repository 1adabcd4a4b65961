"""A schema is structural or its CRD is refused; this is the list of reasons, S-01 … S-19, as faults with their fields.

Works on the schema alone: it does not know CRDs (see `crds`) or values (see `validation`, `pruning`).
"""

import re
from collections.abc import Iterator
from typing import Any

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.schema.pruning import pruned
from windlass.envtest.apiserver.schema.validation import validate
from windlass.envtest.apiserver.values import Json, json_type, same

__all__ = ("schema_faults",)

_TYPES = ("object", "array", "string", "integer", "number", "boolean")
_UNSUPPORTED = ("$ref", "$schema", "id", "definitions", "patternProperties", "dependencies", "additionalItems")
_NOT_NESTED = ("type", "default", "title", "description", "nullable", "additionalProperties")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_NUMBERS = (
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
_NOT_RE2 = re.compile(
    r"\(\?(?:=|!|<=|<!|P=|>|\()|\\[1-9]|\\Z|[*+?}]\+"
)  # what Python's `re` knows and RE2 does not (S-10)


def schema_faults(schema: Any, path: str) -> list[Fault]:
    """All faults of a root schema; `path` is where it stands in the CRD."""
    if not isinstance(schema, dict):
        return [Fault.required(path, "schemas are required")]
    faults = []
    if not schema.get("type"):
        faults.append(Fault.required(f"{path}.type", "must not be empty at the root"))
    elif schema["type"] != "object":
        faults.append(Fault.invalid(f"{path}.type", schema["type"], "must be object at the root"))
    if schema.get("nullable"):
        faults.append(Fault.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    if "additionalProperties" in schema:
        faults.append(Fault.forbidden(f"{path}.additionalProperties", "must not be used at the root"))
    metadata = (schema.get("properties") or {}).get("metadata")
    if isinstance(metadata, dict):
        faults += _metadata(metadata, f"{path}.properties[metadata]")
    return faults + list(_node(schema, path, root=True))


def _metadata(metadata: Json, path: str) -> list[Fault]:
    allowed = {"type", "properties", "description", "title"}
    extra = [key for key in metadata if key not in allowed]
    extra += [key for key in metadata.get("properties") or {} if key not in ("name", "generateName")]
    detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
    return [Fault.forbidden(path, detail)] if extra else []


def _node(schema: Json, path: str, *, root: bool = False) -> Iterator[Fault]:
    """Faults of one node that is part of the structure, and of what hangs below it."""
    yield from _keywords(schema, path)
    if not root:
        yield from _type_present(schema, path)
    yield from _exclusions(schema, path)
    yield from _list_type(schema, path)
    yield from _nested_values(schema, path, complete=root)
    yield from _default(schema, path)
    for key, part in (schema.get("properties") or {}).items():
        if not isinstance(part, dict):
            yield Fault.wrong_type(f"{path}.properties[{key}]", json_type(part), "object")
        elif not (root and key == "metadata"):
            yield from _node(part, f"{path}.properties[{key}]")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from _node(schema[keyword], f"{path}.{keyword}")


def _keywords(schema: Json, path: str) -> Iterator[Fault]:
    for keyword in _UNSUPPORTED:
        if keyword in schema:
            yield Fault.forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    if isinstance(schema.get("items"), list):
        yield Fault.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get("type") == "null":
        yield Fault.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif "type" in schema and schema["type"] not in _TYPES:
        yield Fault.unsupported(f"{path}.type", schema["type"], _TYPES)
    if schema.get("uniqueItems") is True:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield Fault.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        detail = "must be true or undefined"
        yield Fault.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", value=False, detail=detail)
    for keyword in _NUMBERS:
        if keyword in schema and (isinstance(schema[keyword], bool) or not isinstance(schema[keyword], (int, float))):
            yield Fault.wrong_type(f"{path}.{keyword}", json_type(schema[keyword]), "number")
    for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
        if keyword in schema and not isinstance(schema[keyword], bool):
            yield Fault.wrong_type(f"{path}.{keyword}", json_type(schema[keyword]), "boolean")
    yield from _pattern(schema, path)


def _pattern(schema: Json, path: str) -> Iterator[Fault]:
    pattern = schema.get("pattern")
    if pattern is None:
        return
    try:
        re.compile(pattern)
        broken = bool(_NOT_RE2.search(pattern))
    except (re.error, TypeError):
        broken = True
    if broken:
        yield Fault.invalid(f"{path}.pattern", pattern, "must be a valid regular expression (RE2)")


def _type_present(schema: Json, path: str) -> Iterator[Fault]:
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not free:
        yield Fault.required(f"{path}.type", "must not be empty for specified object fields")


def _exclusions(schema: Json, path: str) -> Iterator[Fault]:
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield Fault.required(f"{path}.items", "must be specified")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield Fault.forbidden(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    embedded, preserve = "x-kubernetes-embedded-resource", "x-kubernetes-preserve-unknown-fields"
    if schema.get(embedded):
        if schema.get("type") != "object":
            yield Fault.invalid(f"{path}.type", schema.get("type", ""), f"must be object if {embedded} is true")
        if not schema.get("properties") and not schema.get(preserve):
            yield Fault.required(f"{path}.properties", f"must not be empty if {embedded} is true without {preserve}")
    if schema.get("x-kubernetes-int-or-string"):
        for other in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(other):
                yield Fault.invalid(
                    f"{path}.{other}", schema[other], "must be false if x-kubernetes-int-or-string is true"
                )


def _list_type(schema: Json, path: str) -> Iterator[Fault]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    place = f"{path}.x-kubernetes-list-type"
    if kind is not None:
        if kind not in ("atomic", "set", "map"):
            yield Fault.unsupported(place, kind, ("atomic", "set", "map"))
        if schema.get("type") != "array":
            yield Fault.invalid(
                f"{path}.type", schema.get("type", ""), "must be array if x-kubernetes-list-type is specified"
            )
    if keys and kind != "map":
        yield Fault.required(place, "must be map if x-kubernetes-list-map-keys is non-empty")
    items = schema.get("items")
    if kind == "map" and isinstance(items, dict):
        yield from _map_keys(items, keys or [], path)
    if kind == "set" and isinstance(items, dict):
        if items.get("nullable"):
            yield Fault.forbidden(f"{path}.items.nullable", "cannot be nullable when x-kubernetes-list-type is set")
        if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            yield Fault.invalid(f"{path}.items.x-kubernetes-map-type", items.get("x-kubernetes-map-type", ""), detail)
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is not None and map_type not in ("atomic", "granular"):
        yield Fault.unsupported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))


def _map_keys(items: Json, keys: list[str], path: str) -> Iterator[Fault]:
    place = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield Fault.required(place, "must not be empty if x-kubernetes-list-type is map")
    if items.get("type") != "object":
        yield Fault.invalid(
            f"{path}.items.type",
            items.get("type", ""),
            "must be object if parent array's x-kubernetes-list-type is map",
        )
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        found = properties.get(key)
        if not isinstance(found, dict):
            yield Fault.invalid(f"{place}[{index}]", key, "must be in the properties of items")
        elif found.get("type") in ("object", "array"):
            yield Fault.invalid(
                f"{path}.items.properties[{key}].type",
                found["type"],
                "must be a scalar type if parent array's x-kubernetes-list-type is map",
            )
        elif key not in (items.get("required") or []) and "default" not in found:
            yield Fault.required(
                f"{path}.items.properties[{key}].default",
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            )
    if len(set(keys)) != len(keys):
        yield Fault.duplicate(place, keys)


def _nested_values(schema: Json, path: str, *, complete: bool) -> Iterator[Fault]:
    """S-05: inside allOf, anyOf, oneOf and not stand value checks only.

    S-06, that the structure knows every field they name, is `complete`; Kubernetes asks it of those at the root alone.
    """
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(schema.get(keyword) or []):
            legal = schema.get("x-kubernetes-int-or-string") and _is_int_or_string(keyword, index, schema)
            if not legal:
                yield from _value_only(part, schema, f"{path}.{keyword}[{index}]", complete=complete)
    if isinstance(schema.get("not"), dict):
        yield from _value_only(schema["not"], schema, f"{path}.not", complete=complete)


def _is_int_or_string(keyword: str, index: int, schema: Json) -> bool:
    """S-14: the one place where a nested type is legal."""
    if keyword == "anyOf":
        return same(schema["anyOf"], _INT_OR_STRING)
    return keyword == "allOf" and index == 0 and same(schema["allOf"][0].get("anyOf"), _INT_OR_STRING)


def _value_only(part: Any, structure: Any, path: str, *, complete: bool) -> Iterator[Fault]:
    if not isinstance(part, dict):
        yield Fault.wrong_type(path, json_type(part), "object")
        return
    structure = structure if isinstance(structure, dict) else {}
    for keyword in part:
        if keyword in _NOT_NESTED or (keyword.startswith("x-kubernetes-") and keyword != "x-kubernetes-validations"):
            yield Fault.forbidden(f"{path}.{keyword}", "must be empty to be structural")
    known = structure.get("properties") or {}
    for key, nested in (part.get("properties") or {}).items():
        place = f"{path}.properties[{key}]"
        if key == "metadata" and "metadata" not in known:
            yield Fault.forbidden(place, "must not be specified in a nested context")
        elif complete and key not in known and not isinstance(structure.get("additionalProperties"), dict):
            outside = re.sub(r"\.(?:allOf|anyOf|oneOf)\[\d+\]|\.not\b", "", place)
            yield Fault.required(outside, f"because it is defined in {place}")
        yield from _value_only(nested, known.get(key), place, complete=complete)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, nested in enumerate(part.get(keyword) or []):
            yield from _value_only(nested, structure, f"{path}.{keyword}[{index}]", complete=complete)
    if "not" in part:
        yield from _value_only(part["not"], structure, f"{path}.not", complete=complete)
    if isinstance(part.get("items"), dict):
        yield from _value_only(part["items"], structure.get("items"), f"{path}.items", complete=complete)


def _default(schema: Json, path: str) -> Iterator[Fault]:
    if "default" not in schema:
        return
    value, place = schema["default"], f"{path}.default"
    holder: Json = {"type": "object", "properties": {"v": schema}}
    if not same(pruned({"v": value}, holder), {"v": value}):
        yield Fault.invalid(place, value, "must not have unknown fields")
    for fault in validate(value, schema, "") if not _broken_patterns(schema) else []:
        yield Fault(f"{place}.{fault.field}".rstrip("."), fault.reason, fault.message)


def _broken_patterns(schema: Any) -> bool:
    if isinstance(schema, dict):
        own = isinstance(schema.get("pattern"), str) and any(_pattern(schema, ""))
        return own or any(_broken_patterns(part) for part in schema.values())
    return isinstance(schema, list) and any(_broken_patterns(part) for part in schema)
