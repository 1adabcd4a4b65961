"""A value is completed as an API server completes it: a default stands where nothing was said, and no stray null stays.

A null counts as nothing said, unless the schema admits it; without a default such a null goes (K-02).

This module does not know classes, and judges nothing.
"""

import copy
from collections.abc import Mapping
from typing import Any

from windlass.manifests.expectations import JsonSchema

__all__ = ("completed",)


def completed(value: Any, schema: JsonSchema) -> Any:
    """Return a new value with the schema's defaults; what the schema does not name stays as it is."""
    if isinstance(value, list):
        items = schema.get("items")
        return [completed(item, items) for item in value] if isinstance(items, dict) else value
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, JsonSchema] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    result = {name: each for name, each in value.items() if each is not None or _admits_null(properties, others, name)}
    for name, field in properties.items():
        if "default" in field and name not in result:
            result[name] = copy.deepcopy(field["default"])
    for name, each in result.items():
        inner = properties.get(name, others)
        if isinstance(inner, dict):
            result[name] = completed(each, inner)
    return result


def _admits_null(properties: Mapping[str, JsonSchema], others: object, name: str) -> bool:
    field = properties.get(name, others)
    return not isinstance(field, dict) or not field or bool(field.get("nullable"))
