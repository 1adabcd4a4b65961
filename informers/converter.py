"""One converter turns JSON values into attrs classes and back, strictly: nothing is coerced, every fault is found.

Attribute names are snake_case, JSON names camelCase unless `JsonName` says otherwise. None is left out when writing; a
JSON null where the class admits none counts as absent, as the API server treats it (K-02). Fields that a class does not
know are dropped, unless it has a field marked `Rest`: that one takes them, and writes them back.

This module does not know Kubernetes objects; `typed` registers those.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
import msgspec
from cattrs.cols import (
    homogenous_tuple_structure_factory,
    is_mapping,
    is_mutable_sequence,
    is_sequence,
    list_structure_factory,
    mapping_structure_factory,
)
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.msgspec import MsgspecJsonConverter, make_converter

__all__ = (
    "CONVERTER",
    "JsonName",
    "Rest",
    "attrs_unstructurer",
    "faults_of",
    "format_time",
    "json_name",
    "json_names",
    "parse_time",
    "register_scalar",
    "rest_of",
    "structured",
)

T = TypeVar("T")

_Hook = Callable[[Any, Any], Any]


@attrs.frozen
class JsonName:
    """A marker for `Annotated`: the attribute's name in JSON where camelCase is not it, as in `podIP`."""

    name: str


@attrs.frozen
class Rest:
    """A marker for `Annotated[Mapping[str, Any], Rest()]`: the field takes what no other field of the class does.

    It has no name in JSON: what it holds stands beside the other fields. A class has one such field at most.
    """


def rest_of(cls: type) -> str | None:
    """The attribute of an attrs class that is marked `Rest`, None if there is none. Raises TypeError for two."""
    json_names(cls)
    found = [field.name for field in attrs.fields(cls) if field.init and _has_rest(field.type)]
    if len(found) > 1:
        raise TypeError(f"{cls.__name__} has more than one field for the rest: {', '.join(found)}")
    return found[0] if found else None


def json_name(attribute: str) -> str:
    """`ready_replicas` → `readyReplicas`; a trailing underscore, which frees a keyword (`from_`), is dropped."""
    head, *rest = attribute.strip("_").split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


@cache
def json_names(cls: type) -> Mapping[str, str]:
    """Attribute name → JSON name of an attrs class, in order of definition."""
    attrs.resolve_types(cls, include_extras=True)
    return {field.name: _marked_name(field.type) or json_name(field.name) for field in attrs.fields(cls) if field.init}


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as `metav1.Time` is written. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone cannot be written: {moment!r}; pass a datetime with tzinfo")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment an RFC 3339 text names, in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.replace("t", "T").replace("z", "Z"))  # RFC 3339 has both, Python one
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return moment.astimezone(UTC)


def faults_of(error: Exception, root: object, cls: type) -> list[str]:
    """Every fault in a validation error as `$.path: expected …, found …`, the found values read from `root`."""
    return [
        f"{path}: expected {_describe_type(wanted)}, found {_describe(found)}"
        for path, wanted, found in _walk(error, "$", root, cls)
    ]


def _marked_name(annotation: object) -> str | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((marker.name for marker in get_args(annotation)[1:] if isinstance(marker, JsonName)), None)


def _has_rest(annotation: object) -> bool:
    return get_origin(annotation) is Annotated and any(isinstance(one, Rest) for one in get_args(annotation)[1:])


_ABSENT = object()


def _walk(error: BaseException, path: str, value: object, wanted: object) -> list[tuple[str, object, object]]:
    if isinstance(error, ClassValidationError):
        found: list[tuple[str, object, object]] = []
        names = json_names(get_origin(error.cl) or error.cl)
        noted, bare = error.group_exceptions()
        for inner, attribute in noted:
            name = names.get(attribute.name, attribute.name)
            found += _walk(inner, f"{path}.{name}", _child(value, name), attribute.type)
        return found + [fault for inner in bare for fault in _walk(inner, path, value, wanted)]
    if isinstance(error, IterableValidationError):
        found = []
        items, bare = error.group_exceptions()
        for inner, item in items:
            step = f"[{item.index}]" if isinstance(item.index, int) else f".{item.index}"
            found += _walk(inner, path + step, _child(value, item.index), item.type)
        return found + [fault for inner in bare for fault in _walk(inner, path, value, wanted)]
    if isinstance(error, _RefusedError):
        return [(path, error.args[0], value)]
    if isinstance(error, KeyError) or wanted is None:
        return [(path, wanted, value)]
    # A class's own validator: its message says what it wants better than the type does.
    message = str(error)
    plain = isinstance(error, (TypeError, AttributeError)) or not message
    return [(path, wanted if plain or _is_union(wanted) or get_origin(wanted) is Literal else message, value)]


def _child(value: object, step: object) -> object:
    if isinstance(value, Mapping):
        return value.get(step, _ABSENT)
    if isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value):
        return value[step]
    return _ABSENT


_TYPE_NAMES: dict[object, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    datetime: "an RFC 3339 time",
    NoneType: "null",
    Any: "a value",
}


def _describe_type(wanted: object) -> str:
    origin = get_origin(wanted)
    if isinstance(wanted, str) or wanted in _TYPE_NAMES:
        text = _TYPE_NAMES.get(wanted) or str(wanted)
    elif origin is Annotated:
        text = _describe_type(get_args(wanted)[0])
    elif origin is Literal:
        text = "one of " + ", ".join(repr(choice) for choice in get_args(wanted))
    elif _is_union(wanted):
        text = " or ".join(_describe_type(one) for one in get_args(wanted) if one is not NoneType)
    elif isinstance(wanted, type) and issubclass(wanted, Enum):
        text = "one of " + ", ".join(repr(member.value) for member in wanted)
    elif is_mapping(wanted) or attrs.has(origin or wanted):  # type: ignore[arg-type]  # any annotation may come
        text = "an object"
    elif is_sequence(wanted) or origin is tuple:
        text = "a list"
    else:
        text = getattr(wanted, "__name__", repr(wanted))
    return text


def _describe(value: object) -> str:
    if value is _ABSENT:
        return "nothing (the field is required)"
    try:
        text = msgspec.json.encode(value).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _is_union(annotation: object) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _admits_none(annotation: object) -> bool:
    if get_origin(annotation) is Annotated:
        return _admits_none(get_args(annotation)[0])
    return annotation is Any or annotation is NoneType or (_is_union(annotation) and NoneType in get_args(annotation))


class _RefusedError(ValueError):
    """The value's shape is wrong; the only argument is the annotation or a text that says what was expected."""


def _strict(wanted: type, *accepted: type) -> _Hook:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is wanted:
            return value
        # bool is an int in Python and not in JSON.
        if isinstance(value, accepted) and (wanted is bool or not isinstance(value, bool)):
            return wanted(value)
        raise _RefusedError(wanted)

    return structure


def _structure_integer(value: Any, _: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _RefusedError(int)


def _structure_time(value: Any, _: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return parse_time(value)
    except (AttributeError, TypeError, ValueError):
        raise _RefusedError(datetime) from None


def _structure_member(value: Any, cls: Any) -> Any:
    try:
        return value if isinstance(value, cls) else cls(value)
    except ValueError:
        raise _RefusedError(cls) from None


def _shaped(inner: Any, cls: Any, *shapes: type) -> _Hook:
    def structure(value: Any, wanted: Any = cls) -> Any:
        if not isinstance(value, shapes):
            raise _RefusedError(cls)
        return inner(value, wanted)

    return structure


def _attrs_structurer(cls: Any, converter: Any) -> _Hook:
    base = get_origin(cls) or cls
    names = json_names(base)
    overrides: dict[str, Any] = {attribute: override(rename=name) for attribute, name in names.items()}
    inner = make_dict_structure_fn(cls, converter, **overrides)
    rest = rest_of(base)
    known = {name for attribute, name in names.items() if attribute != rest}
    # An object's header is no rest of it: it is written anew.
    passed_over = {"apiVersion", "kind"} if hasattr(base, "__windlass_resource__") else set()
    nullable = {names[field.name] for field in attrs.fields(base) if field.init and _admits_none(field.type)}

    def structure(value: Any, wanted: Any = cls) -> Any:
        if type(value) is not dict:  # as decoding makes them; the rest is slower to tell
            if isinstance(value, base):
                return value
            if not isinstance(value, Mapping):
                raise _RefusedError(cls)
        if rest is not None:
            value = {
                **{name: one for name, one in value.items() if name in known},
                names[rest]: {name: one for name, one in value.items() if name not in known | passed_over},
            }
        if None in value.values():
            value = {name: one for name, one in value.items() if one is not None or name in nullable}
        return inner(value, wanted)

    return structure


def attrs_unstructurer(cls: Any, converter: Any) -> Callable[[Any], dict[str, Any]]:
    """The writer of one attrs class: JSON names, None left out."""
    base = get_origin(cls) or cls
    overrides: dict[str, Any] = {attribute: override(rename=name) for attribute, name in json_names(base).items()}
    rest = rest_of(base)
    if rest is not None:
        overrides[rest] = override(omit=True)
    inner = make_dict_unstructure_fn(cls, converter, **overrides)

    def unstructure(value: Any) -> dict[str, Any]:
        return {name: one for name, one in inner(value).items() if one is not None}

    def unstructure_with_rest(value: Any) -> dict[str, Any]:
        return {**converter.unstructure(getattr(value, str(rest)), dict[str, Any]), **unstructure(value)}

    return unstructure if rest is None else unstructure_with_rest


def register_scalar(cls: type, *, read: Callable[[Any], Any], write: Callable[[Any], Any], noun: str) -> None:
    """Let `cls` travel as one JSON value: `read` makes it of that, `write` undoes it.

    `read` raises ValueError or TypeError. `noun` is what an error says was expected, such as "a quantity".
    """

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, cls):
            return value
        try:
            return read(value)
        except (TypeError, ValueError):
            raise _RefusedError(cls) from None

    _TYPE_NAMES[cls] = noun
    for converter in (CONVERTER, _QUICK):
        converter.register_structure_hook(cls, structure)
        converter.register_unstructure_hook(cls, write)


def structured(value: object, cls: type[T]) -> T:
    """The instance of `cls` that a JSON value describes. Raises what `faults_of` explains."""
    try:
        return _QUICK.structure(value, cls)
    except Exception:  # noqa: S110 - told below
        pass
    return CONVERTER.structure(value, cls)


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _is_homogenous_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple and len(get_args(cls)) == 2 and get_args(cls)[1] is ...


def _make(*, detailed: bool) -> MsgspecJsonConverter:
    converter = make_converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _strict(str, str))
    converter.register_structure_hook(bool, _strict(bool, bool))
    converter.register_structure_hook(float, _strict(float, int, float))
    converter.register_structure_hook(int, _structure_integer)
    converter.register_structure_hook(datetime, _structure_time)
    converter.register_structure_hook_factory(
        is_mutable_sequence, lambda cls, conv: _shaped(list_structure_factory(cls, conv), cls, list, tuple)
    )
    converter.register_structure_hook_factory(
        lambda cls: is_sequence(cls) and not is_mutable_sequence(cls) and not _is_tuple(cls),
        lambda cls, conv: _shaped(homogenous_tuple_structure_factory(_as_tuple(cls), conv), cls, list, tuple),
    )
    converter.register_structure_hook_factory(
        _is_homogenous_tuple,
        lambda cls, conv: _shaped(homogenous_tuple_structure_factory(cls, conv), cls, list, tuple),
    )
    converter.register_structure_hook_factory(
        is_mapping, lambda cls, conv: _shaped(mapping_structure_factory(_as_dict(cls), conv), cls, Mapping)
    )
    converter.register_structure_hook_factory(attrs.has, _attrs_structurer)
    converter.register_unstructure_hook_factory(attrs.has, attrs_unstructurer)
    converter.register_unstructure_hook(datetime, format_time)
    converter.register_structure_hook_func(
        lambda cls: isinstance(cls, type) and issubclass(cls, Enum), _structure_member
    )
    converter.register_unstructure_hook_func(
        lambda cls: isinstance(cls, type) and issubclass(cls, Enum), lambda member: member.value
    )
    return converter


def _as_tuple(cls: Any) -> Any:
    return tuple[(get_args(cls) or (Any,))[0], ...]  # type: ignore[misc]  # built at run time from an annotation


def _as_dict(cls: Any) -> Any:
    return dict[get_args(cls)] if get_args(cls) else dict[str, Any]  # type: ignore[misc]  # built at run time


CONVERTER = _make(detailed=True)
# Refuses the same values, but at the first fault and without saying where: keeping track costs half as much again.
_QUICK = _make(detailed=False)
