"""A definition that is compared has the shape of one: a wrong type is told with its path, however deep it lies.

Files and revisions are not always what once was generated. What is looked at here is types alone, those of every part
that a comparison reads; whether a server would take the definition is the server's to say. This module is pure.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

__all__ = ("shape_faults",)

# A type or several; a list of one shape; a mapping by name, "*" for every other and None for the names that it must
# have; or the name of a shape below.
_Shape: TypeAlias = Any

_NESTED_MAX: Final = 100  # an alias of YAML can put a node into itself
_TEXTS: Final = ("type", "pattern", "format", "description", "title", "x-kubernetes-list-type", "x-kubernetes-map-type")
_NUMBERS: Final = ("minimum", "maximum", "multipleOf")
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_SWITCHES: Final = (
    *("exclusiveMinimum", "exclusiveMaximum", "nullable", "x-kubernetes-preserve-unknown-fields"),
    *("x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"),
)
_SHAPES: Final[Mapping[str, _Shape]] = {
    "schema": {
        **dict.fromkeys(_TEXTS, str),
        **dict.fromkeys(_NUMBERS, (int, float)),
        **dict.fromkeys(_COUNTS, int),
        **dict.fromkeys(_SWITCHES, bool),
        "required": [str],
        "x-kubernetes-list-map-keys": [str],
        "enum": ["json"],
        "allOf": ["schema"],
        "anyOf": ["schema"],
        "oneOf": ["schema"],
        "items": "schema",
        "not": "schema",
        "properties": {"*": "schema"},
        "additionalProperties": "schema or bool",
        "x-kubernetes-validations": [{None: ("rule",), "rule": str, "*": "json"}],
        "*": "json",
    },
    "definition": {
        "metadata": {"name": str},
        "spec": {
            **dict.fromkeys(("group", "scope"), str),
            "names": {"shortNames": [str], "categories": [str], "*": str},
            "conversion": {"strategy": str, "*": "json"},
            "versions": [
                {
                    None: ("name",),
                    "name": str,
                    **dict.fromkeys(("served", "storage", "deprecated"), bool),
                    "schema": {"openAPIV3Schema": "schema"},
                    "subresources": {"*": "json"},
                    "selectableFields": [{None: ("jsonPath",), "jsonPath": str}],
                    "additionalPrinterColumns": ["json"],
                }
            ],
        },
    },
}
_WORDS: Final[Mapping[_Shape, str]] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    (int, float): "a number",
}


def shape_faults(definition: object) -> list[str]:
    """Every part whose type is wrong, as ``$.spec.names.plural: expected a string, found 5``; empty if none is."""
    return list(_faults(definition, "definition", "$", 0))


def _faults(value: object, shape: _Shape, path: str, depth: int) -> Iterator[str]:
    if depth > _NESTED_MAX:
        yield f"{path}: expected at most {_NESTED_MAX} values within each other, found more"
    elif shape == "schema or bool":
        if not isinstance(value, bool):
            yield from _faults(value, "schema", path, depth)
    elif shape == "json":
        yield from _json_faults(value, path, depth)
    elif isinstance(shape, str):
        yield from _faults(value, _SHAPES[shape], path, depth)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield _fault(path, "a list", value)
            return
        for index, one in enumerate(value):
            yield from _faults(one, shape[0], f"{path}[{index}]", depth + 1)
    elif isinstance(shape, dict):
        yield from _mapping_faults(value, shape, path, depth)
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        yield _fault(path, _WORDS[shape], value)


def _mapping_faults(value: object, shape: Mapping[str | None, _Shape], path: str, depth: int) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _fault(path, "an object", value)
        return
    for name in shape.get(None, ()):
        if name not in value:
            yield f"{path}.{name}: expected a value, found none"
    for name, one in value.items():
        if not isinstance(name, str):
            yield f"{path}: expected names that are strings, found {name!r}"
        elif (inner := shape.get(name, shape.get("*"))) is not None:
            yield from _faults(one, inner, f"{path}.{name}", depth + 1)


def _json_faults(value: object, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping_faults(value, {"*": "json"}, path, depth)
    elif isinstance(value, list):
        yield from _faults(value, ["json"], path, depth)
    elif not isinstance(value, str | int | float | None):
        # A date, say: YAML has types that JSON has not.
        yield _fault(path, "a value that JSON has", value)


def _fault(path: str, expected: str, value: object) -> str:
    shown = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return f"{path}: expected {expected}, found {shown[:40]}"
