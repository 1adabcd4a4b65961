"""Pruning removes what a structural schema does not name, defaulting adds what it promises; both return new values.

K-01: everything under `x-kubernetes-preserve-unknown-fields` stays, and so do apiVersion, kind and metadata of the
root and of embedded resources. K-02: a default fills an absent field, and a null where the schema does not say
nullable; such a null without a default is taken out. Validation comes after both, elsewhere.
"""

from typing import Any

from windlass.envtest.apiserver.values import Json, copied

__all__ = ("defaulted", "has_defaults", "pruned")

_IDENTITY = ("apiVersion", "kind", "metadata")


def pruned(value: Any, schema: Json, unknown: list[str] | None = None) -> Any:
    """The value without unknown fields, whose paths are appended to `unknown` if given. `value` is a whole object."""
    return _prune(value, schema, "", unknown if unknown is not None else [], root=True)


def _prune(value: Any, schema: Json, path: str, unknown: list[str], *, root: bool = False) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        return [_prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    return _prune_object(value, schema, path, unknown, root=root)


def _prune_object(value: Json, schema: Json, path: str, unknown: list[str], *, root: bool) -> Json:
    properties: Json = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    preserve = schema.get("x-kubernetes-preserve-unknown-fields") is True
    embedded = root or schema.get("x-kubernetes-embedded-resource") is True
    result: Json = {}
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if embedded and key in _IDENTITY:
            result[key] = item
        elif key in properties:
            result[key] = _prune(item, properties[key], place, unknown)
        elif isinstance(additional, dict):
            result[key] = _prune(item, additional, place, unknown)
        elif preserve or additional is True:
            result[key] = item
        else:
            unknown.append(place)
    return result


def has_defaults(schema: Any) -> bool:
    """Whether any default is declared, so that reads of old objects need care."""
    if isinstance(schema, dict):
        return "default" in schema or any(has_defaults(part) for part in schema.values())
    return isinstance(schema, list) and any(has_defaults(part) for part in schema)


def defaulted(value: Any, schema: Json) -> Any:
    """The value with its defaults."""
    if isinstance(value, list):
        items = schema.get("items")
        return [defaulted(item, items) for item in value] if isinstance(items, dict) else value
    if not isinstance(value, dict):
        return value
    properties: Json = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    result = dict(value)
    for key in [key for key, item in result.items() if item is None and _unwanted(properties.get(key, additional))]:
        del result[key]
    for key, field in properties.items():
        if "default" in field and key not in result:
            result[key] = copied(field["default"])
    for key, item in result.items():
        part = properties.get(key, additional)
        if isinstance(part, dict) and item is not None:
            result[key] = defaulted(item, part)
    return result


def _unwanted(field: object) -> bool:
    """Whether a field that is null goes; a field without any schema is free."""
    return isinstance(field, dict) and bool(field) and not field.get("nullable")
