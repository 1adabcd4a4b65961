"""The schema of a class is structural and accepted by an API server, or the class is refused where it is defined.

A schema follows from annotations, defaults, docstrings and markers, and from nothing else, so it is the same on every
machine. How Python maps to JSON:

- a nested attrs class is an object, its docstring the description, as is a text below a field; recursive classes are
  refused, there being no $ref;
- a field without a default is required; a default becomes a schema ``default``, checked against its own schema (S-18);
- ``T | None`` has the default None and may be absent; an explicit null is kept only with ``Nullable()``;
- no defaults are written under ``status``: there a default would be an observation nobody has made;
- ``Literal`` and ``Enum`` are enums, ``int | str`` is int-or-string, ``Any`` is kept as it comes, ``datetime`` is a
  ``date-time``, ``timedelta`` a text like ``1h30m``, ``Quantity`` one like ``500m``, ``bytes`` are base64;
- a union is a class with a field for each case, marked ``ExactlyOneOf``;
- what the server keeps of unknown fields, a class keeps too, in its field marked ``Rest``;
- a list of ``Condition`` is a map keyed by ``type`` (C-07).

This module does not know groups, names, printer columns or files.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

import attrs

from windlass.informers.converter import JsonName, Rest, json_names, rest_of
from windlass.informers.typed import CustomResource, ObjectMeta, unstructure
from windlass.manifests.annotations import Peeled, is_union, peel
from windlass.manifests.binary import BASE64
from windlass.manifests.docstrings import class_docstring, field_docstrings
from windlass.manifests.durations import DURATION_PATTERN
from windlass.manifests.errors import InvalidKind
from windlass.manifests.keywords import Place, apply_markers, check_list
from windlass.manifests.markers import (
    Atomic,
    Description,
    ListMap,
    Nullable,
    PreserveUnknownFields,
    markers_of,
)
from windlass.manifests.quantities import QUANTITY_PATTERN, Quantity
from windlass.manifests.rules import Immutable, Rule
from windlass.manifests.validation import JsonSchema, faults
from windlass.statemachine import conditions

__all__ = ("schema_of",)

# The server itself says what these are; the class must not (S-11).
_HEADER: Final[Mapping[str, JsonSchema]] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}
_INT_OR_STRING: Final[JsonSchema] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_SCALARS: Final[Mapping[Any, JsonSchema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "string", "pattern": DURATION_PATTERN},
    bytes: {"type": "string", "format": BASE64},
    Quantity: {**_INT_OR_STRING, "pattern": QUANTITY_PATTERN},
}
_HINTS: Final[Mapping[Any, str]] = {
    tuple: "tuple[T, ...]",
    list: "list[T]",
    dict: "dict[str, T]",
    set: "Annotated[tuple[T, ...], ListSet()]",
    frozenset: "Annotated[tuple[T, ...], ListSet()]",
}
# R-04: with a status subresource hardly anything else may stand at the root.
_ROOT_MARKERS: Final = (Description, PreserveUnknownFields, Rule)


def schema_of(cls: type) -> JsonSchema:
    """Return the structural OpenAPI v3 schema of an attrs class: of the whole object for a kind, else of one part.

    Raises ``InvalidKind`` naming the class and field, the rule broken, what was found and what was expected.
    """
    return _root(cls) if issubclass(cls, CustomResource) else _object(cls, Place(cls.__name__))


def _root(cls: type[CustomResource]) -> JsonSchema:
    for marker in markers_of(cls):
        if not isinstance(marker, _ROOT_MARKERS):
            allowed = ", ".join(each.__name__ for each in _ROOT_MARKERS)
            raise InvalidKind(cls.__name__, rule="markers of a kind (R-04)", found=repr(marker), expected=allowed)
    metadata = attrs.fields_dict(cls)["metadata"]
    if metadata.type is not ObjectMeta:
        raise InvalidKind(
            f"{cls.__name__}.metadata",
            rule="the metadata of a kind is the server's (S-11)",
            found="a field of that name",
            expected="none, as CustomResource brings it",
        )
    schema = _object(cls, Place(cls.__name__))
    if "status" in schema.get("required", ()):
        raise InvalidKind(
            f"{cls.__name__}.status",
            rule="an object is created without its status",
            found="no default",
            expected="a default, such as None or a status of defaults",
        )
    schema["properties"] = {**schema.get("properties", {}), **_HEADER}
    return schema


def _object(cls: type, place: Place) -> JsonSchema:
    if cls in place.ancestors:
        chain = " → ".join(each.__name__ for each in (*place.ancestors, cls))
        raise InvalidKind(
            place.where,
            rule="a schema cannot refer to itself (S-07)",
            found=f"the recursive class {chain}",
            expected="Annotated[Any, PreserveUnknownFields()]",
        )
    markers = markers_of(cls)
    if any(isinstance(marker, Atomic) for marker in markers):
        place = attrs.evolve(place, correlated=False)
    schema: JsonSchema = {"type": "object"}
    if description := class_docstring(cls):
        schema["description"] = description
    rest = _rest(cls)
    if rest is not None:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    properties: dict[str, JsonSchema] = {}
    required: list[str] = []
    words = field_docstrings(cls)
    for field, name in _fields(cls):
        if field.name == rest:
            continue
        if name in properties or (issubclass(cls, CustomResource) and name in _HEADER):
            raise InvalidKind(
                f"{cls.__name__}.{field.name}",
                rule="a JSON name belongs to one field",
                found=f"{name!r} again",
                expected="another name, or a JsonName",
            )
        inside = attrs.evolve(
            place,
            where=f"{cls.__name__}.{field.name}",
            ancestors=(*place.ancestors, cls),
            observed=place.observed or (issubclass(cls, CustomResource) and name == "status"),
        )
        properties[name] = _property(field, name, inside)
        if field.name in words and not any(isinstance(one, Description) for one in peel(field.type).markers):
            # The words below a field say more about it here than those of its class do.
            properties[name]["description"] = words[field.name]
        if field.default is attrs.NOTHING:
            required.append(name)
    if properties:
        schema["properties"] = properties
    if required:
        schema["required"] = sorted(required)
    kept = [
        Immutable.kept(name)
        for field, name in _fields(cls)
        if peel(field.type).optional and any(isinstance(one, Immutable) for one in peel(field.type).markers)
    ]
    # A root's `oldSelf` is always there on update: it has no list above it.
    apply_markers(schema, (*markers, *kept), attrs.evolve(place, where=cls.__name__))
    return schema


def _rest(cls: type) -> str | None:
    """The field that takes what the class does not know, if there is one: a mapping of anything, that may be empty."""
    try:
        name = rest_of(cls)
    except (NameError, AttributeError, SyntaxError):
        return None  # `_fields` says what is wrong
    except TypeError as problem:
        raise InvalidKind(
            cls.__name__, rule="the rest is in one field", found=str(problem), expected="one marked Rest"
        ) from problem
    if name is None:
        if any(isinstance(marker, PreserveUnknownFields) for marker in markers_of(cls)):
            raise InvalidKind(
                cls.__name__,
                rule="what the server keeps, a class keeps",
                found="PreserveUnknownFields() on a class that would drop them",
                expected="a field `rest: Annotated[Mapping[str, Any], Rest()] = attrs.field(factory=dict)` instead",
            )
        return None
    field = attrs.fields_dict(cls)[name]
    base = peel(field.type).base
    if get_origin(base) not in (dict, Mapping) or get_args(base) != (str, Any) or field.default is attrs.NOTHING:
        raise InvalidKind(
            f"{cls.__name__}.{name}",
            rule="the rest is a mapping of anything, and may be empty (S-04)",
            found=_name(base),
            expected="Annotated[Mapping[str, Any], Rest()] = attrs.field(factory=dict)",
        )
    return name


def _fields(cls: type) -> list[tuple["attrs.Attribute[Any]", str]]:
    """The fields that travel, with their JSON names: all that `__init__` takes, but for the header of a kind."""
    try:
        names = json_names(cls)
    except (NameError, AttributeError, TypeError, SyntaxError) as problem:
        raise InvalidKind(
            cls.__name__,
            rule="annotations are resolved where the class is defined",
            found=str(problem),
            expected="names that are defined above it, at the level of the module",
        ) from problem
    fields = [field for field in attrs.fields(cls) if field.init]
    if issubclass(cls, CustomResource):
        fields = [field for field in fields if field.name != "metadata"]
    return [(field, names[field.name]) for field in fields]


def _property(field: "attrs.Attribute[Any]", name: str, place: Place) -> JsonSchema:
    if field.type is None:
        raise InvalidKind(place.where, rule="a field has a type", found="no annotation", expected="one")
    for marker in peel(field.type).markers:
        if isinstance(marker, Rest):
            raise InvalidKind(
                place.where, rule="Rest stands in the outermost Annotated", found="it further in", expected="that"
            )
        if isinstance(marker, JsonName) and marker.name != name:
            raise InvalidKind(
                place.where,
                rule="JsonName stands in the outermost Annotated",
                found=f"it further in, so that the field is called {name!r}",
                expected=f"Annotated[…, JsonName({marker.name!r})]",
            )
    made, constant = _default(field, place)
    if peel(field.type).optional and (field.default is attrs.NOTHING or made is not None):
        # None is never written, so the server would put the default in its place, or miss a required field.
        found = "no default" if made is None else f"the default {made!r}"
        raise place.refuse(rule="None in Python is absence in JSON", found=found, expected="the default None")
    schema = _node(field.type, attrs.evolve(place, may_be_absent=True))
    if made is None or not constant or place.observed:
        return schema
    default = _json(made, place)
    if _holds_null(default):
        raise place.refuse(
            rule="a default holds no null, as older servers refuse it (S-18)",
            found=json.dumps(default),
            expected="values alone",
        )
    if problems := faults(default, schema):
        raise InvalidKind(
            place.where, rule="a default is valid (S-18)", found=json.dumps(default), expected="; ".join(problems)
        )
    return {**schema, "default": default}


def _default(field: "attrs.Attribute[Any]", place: Place) -> tuple[Any, bool]:
    """The default, None if there is none, and whether it is the same for every instance."""
    default: Any = field.default
    if default is attrs.NOTHING:
        return None, False
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, though its stub says a function
        return default, True
    if default.takes_self:
        return None, False
    made, again = default.factory(), default.factory()
    if made != again:
        raise InvalidKind(
            place.where,
            rule="a default is the same every time",
            found=f"a factory that made {made!r} and then {again!r}",
            expected="no default, or a constant one",
        )
    return made, True


def _node(annotation: Any, place: Place) -> JsonSchema:
    """The schema of one annotation: of a field, of the items of a list or of the values of a mapping."""
    peeled = peel(annotation)
    nullable = any(isinstance(marker, Nullable) for marker in peeled.markers)
    if nullable and not peeled.optional:
        raise place.refuse(rule="Nullable stands on an optional type", found=_name(annotation), expected="T | None")
    if peeled.optional and not nullable and not place.may_be_absent:
        raise place.refuse(
            rule="an item cannot be absent", found=_name(annotation), expected="Nullable(), or a type without None"
        )
    inside = attrs.evolve(place, may_be_absent=False)
    if any(isinstance(marker, Atomic) for marker in peeled.markers):
        inside = attrs.evolve(inside, correlated=False)
    origin = get_origin(peeled.base)
    if origin in (list, tuple, Sequence):
        return _list(peeled, inside, place)
    node = _mapping(peeled.base, inside) if origin in (dict, Mapping) else _single(peeled.base, inside)
    apply_markers(node, peeled.markers, place)
    return node


def _single(base: Any, place: Place) -> JsonSchema:
    if isinstance(base, type) and base in _SCALARS:
        return copy.deepcopy(_SCALARS[base])
    if base in (Any, object):
        return {"x-kubernetes-preserve-unknown-fields": True}
    if get_origin(base) is Literal or (isinstance(base, type) and issubclass(base, Enum)):
        return _enum(get_args(base) or [member.value for member in base], place)
    if is_union(base):
        if set(get_args(base)) == {int, str}:
            return copy.deepcopy(_INT_OR_STRING)
        raise place.refuse(
            rule="a field has one type (S-05)",
            found=_name(base),
            expected="int | str, or one class with a field for each case, marked ExactlyOneOf",
        )
    if isinstance(base, type) and attrs.has(base) and not issubclass(base, CustomResource):
        return _condition() if base is conditions.Condition else _object(base, place)
    known = "a scalar, datetime, Literal, Enum, list, mapping, Any or a plain attrs class"
    raise place.refuse(
        rule="a type that JSON can hold", found=_name(base), expected=_HINTS.get(get_origin(base) or base, known)
    )


def _enum(values: Iterable[object], place: Place) -> JsonSchema:
    choices = list(values)
    # Members of StrEnum and IntEnum are written as the plain values they are; bool comes first, for it is an int too.
    for scalar in (bool, str, int):
        if choices and all(isinstance(choice, scalar) for choice in choices):
            if scalar is int and any(isinstance(choice, bool) for choice in choices):
                break
            return {**_SCALARS[scalar], "enum": json.loads(json.dumps(choices))}
    raise place.refuse(
        rule="an enum has values of one type", found=repr(choices), expected="all strings or all integers"
    )


def _list(peeled: Peeled, inside: Place, place: Place) -> JsonSchema:
    item, *rest = get_args(peeled.base)
    if rest != ([...] if get_origin(peeled.base) is tuple else []):
        raise place.refuse(
            rule="all items of a list have one type (S-07)", found=_name(peeled.base), expected="tuple[T, ...]"
        )
    markers = peeled.markers
    if peel(item).base is conditions.Condition and not any(isinstance(marker, ListMap) for marker in markers):
        markers = (*markers, ListMap("type"))
    keyed = any(isinstance(marker, ListMap) for marker in markers)
    below = attrs.evolve(inside, where=f"{place.where}[]", correlated=inside.correlated and keyed)
    node: JsonSchema = {"type": "array", "items": _node(item, below)}
    apply_markers(node, markers, place)
    check_list(node, place)
    return node


def _mapping(base: Any, place: Place) -> JsonSchema:
    key, value = get_args(base)
    if key is not str:
        raise place.refuse(rule="the keys of an object are strings", found=_name(base), expected="dict[str, T]")
    return {"type": "object", "additionalProperties": _node(value, attrs.evolve(place, where=f"{place.where}{{}}"))}


def _condition() -> JsonSchema:
    """The schema of ``metav1.Condition`` (C-01..C-06)."""
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "One observation about the object.",
        "properties": {
            "type": {**text, "maxLength": conditions.TYPE_LENGTH_MAX, "pattern": conditions.TYPE_PATTERN},
            "status": {**text, "enum": ["True", "False", "Unknown"]},
            "reason": {
                **text,
                "minLength": 1,
                "maxLength": conditions.REASON_LENGTH_MAX,
                "pattern": conditions.REASON_PATTERN,
            },
            "message": {**text, "maxLength": conditions.MESSAGE_LENGTH_MAX},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {**text, "format": "date-time"},
        },
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    }


def _name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) and not get_args(annotation) else repr(annotation)


def _holds_null(value: object) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(_holds_null(each) for each in inner)


def _json(value: object, place: Place) -> Any:
    try:
        return json.loads(json.dumps(unstructure(value), allow_nan=False))
    except (TypeError, ValueError) as problem:
        raise InvalidKind(
            place.where, rule="a default is JSON (S-18)", found=f"{value!r} ({problem})", expected="a JSON value"
        ) from problem
