"""A marker says one thing about a field that its type cannot say, in the words of the API server's schema.

Markers stand in ``Annotated[...]`` next to the type they are about, or in ``@marked(...)`` for a whole class. Each
knows the JSON types it makes sense on and the keywords it stands for; whether it fits is decided in ``keywords``.

This module does not know fields, classes or where in a schema a marker ends up.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import attrs

from windlass.manifests.marker import Marker
from windlass.manifests.patterns import re2_fault
from windlass.manifests.rules import Immutable, Rule

__all__ = (
    "Atomic",
    "Description",
    "EmbeddedResource",
    "ExclusiveMaximum",
    "ExclusiveMinimum",
    "Format",
    "Immutable",
    "IntOrString",
    "ListMap",
    "ListSet",
    "Marker",
    "MaxItems",
    "MaxLength",
    "MaxProperties",
    "Maximum",
    "MinItems",
    "MinLength",
    "MinProperties",
    "Minimum",
    "MultipleOf",
    "Nullable",
    "Pattern",
    "PreserveUnknownFields",
    "Rule",
    "Values",
    "marked",
    "markers_of",
)

IntOrString: TypeAlias = int | str
"""A value that may be either, such as a port number or its name."""

Number: TypeAlias = int | float
_T = TypeVar("_T", bound=type[Any])

# The names of JSON types as `schema` uses them; "any" is a field without a type, "int-or-string" the one legal union.
_NUMBERS: Final = frozenset({"integer", "number", "int-or-string"})
_STRINGS: Final = frozenset({"string", "int-or-string"})
_ARRAYS: Final = frozenset({"array"})
_OBJECTS: Final = frozenset({"object"})

_VALUE_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "int-or-string": (int, str),
}


@attrs.frozen
class _Bound(Marker):
    """A bound on numbers: whole on an integer, finite everywhere."""

    nested: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = _NUMBERS
    value: Number

    def fault(self, json_type: str) -> str | None:
        """A bound is finite, and whole on an integer."""
        if not _is_number(self.value):
            return "a finite number"
        whole = isinstance(self.value, int)
        if not whole and json_type != "number":
            return "a whole number, as the field is one"
        return self._fault()


@attrs.frozen
class Minimum(_Bound):
    """The value is at least this."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"minimum": self.value}


@attrs.frozen
class Maximum(_Bound):
    """The value is at most this."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"maximum": self.value}


@attrs.frozen
class ExclusiveMinimum(_Bound):
    """The value is greater than this."""

    def _keywords(self) -> Mapping[str, Any]:
        # The API server knows the older form, a boolean beside the bound (S-07).
        return {"minimum": self.value, "exclusiveMinimum": True}


@attrs.frozen
class ExclusiveMaximum(_Bound):
    """The value is less than this."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"maximum": self.value, "exclusiveMaximum": True}


@attrs.frozen
class MultipleOf(_Bound):
    """The value is a whole multiple of this, which is greater than zero."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"multipleOf": self.value}

    def _fault(self) -> str | None:
        return None if self.value > 0 else "a number greater than 0"


@attrs.frozen
class _Count(Marker):
    """A bound on how many of something there may be: an integer from 0 up."""

    nested: ClassVar[bool] = True
    keyword: ClassVar[str]
    value: int

    def _keywords(self) -> Mapping[str, Any]:
        return {self.keyword: self.value}

    def _fault(self) -> str | None:
        whole = _is_number(self.value) and type(self.value) is int
        return None if whole and self.value >= 0 else "an integer from 0 up"


@attrs.frozen
class MinLength(_Count):
    """The text has at least this many characters."""

    types: ClassVar[frozenset[str]] = _STRINGS
    keyword: ClassVar[str] = "minLength"


@attrs.frozen
class MaxLength(_Count):
    """The text has at most this many characters."""

    types: ClassVar[frozenset[str]] = _STRINGS
    keyword: ClassVar[str] = "maxLength"


@attrs.frozen
class MinItems(_Count):
    """The list has at least this many items."""

    types: ClassVar[frozenset[str]] = _ARRAYS
    keyword: ClassVar[str] = "minItems"


@attrs.frozen
class MaxItems(_Count):
    """The list has at most this many items."""

    types: ClassVar[frozenset[str]] = _ARRAYS
    keyword: ClassVar[str] = "maxItems"


@attrs.frozen
class MinProperties(_Count):
    """The mapping has at least this many entries."""

    types: ClassVar[frozenset[str]] = _OBJECTS
    keyword: ClassVar[str] = "minProperties"


@attrs.frozen
class MaxProperties(_Count):
    """The mapping has at most this many entries."""

    types: ClassVar[frozenset[str]] = _OBJECTS
    keyword: ClassVar[str] = "maxProperties"


@attrs.frozen
class Pattern(Marker):
    """The text contains a match of this expression; anchor it with ``^`` and ``$`` to match the whole.

    The API server is written in Go, whose expressions have no look-around and no back-references (S-10).
    """

    nested: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = _STRINGS
    expression: str

    def _keywords(self) -> Mapping[str, Any]:
        return {"pattern": self.expression}

    def _fault(self) -> str | None:
        trouble = re2_fault(self.expression)
        return None if trouble is None else f"an expression that Go and Python both read alike: {trouble} (S-10)"


@attrs.frozen
class Format(Marker):
    """A named format, such as ``ipv4``, ``uuid`` or ``int32``. Servers ignore those they do not know (S-19)."""

    nested: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset({"string", "integer", "number"})
    name: str

    def _keywords(self) -> Mapping[str, Any]:
        return {"format": self.name}


@attrs.frozen(init=False)
class Values(Marker):
    """The value is one of these. For a whole type ``Literal`` or an ``Enum`` is better, for Python knows it then."""

    types: ClassVar[frozenset[str]] = _NUMBERS | _STRINGS | {"boolean", "any"}
    nested: ClassVar[bool] = True
    values: tuple[str | int | float | bool, ...]

    def __init__(self, *values: str | float) -> None:
        self.__attrs_init__(values)

    def _keywords(self) -> Mapping[str, Any]:
        return {"enum": list(self.values)}

    def fault(self, json_type: str) -> str | None:
        """One value or more, each once, and of the field's type."""
        if not self.values or len({(type(one), one) for one in self.values}) < len(self.values):
            return "one value or more, each once"
        wanted = _VALUE_TYPES.get(json_type, (str, int, float, bool))
        fits = all(isinstance(one, wanted) and (bool in wanted or not isinstance(one, bool)) for one in self.values)
        return None if fits else f"values that are of the type {json_type}"


def _names(keys: str | Iterable[str]) -> tuple[str, ...]:
    return (keys,) if isinstance(keys, str) else tuple(keys)


@attrs.frozen
class ListMap(Marker):
    """The list is a map: its items are told apart by these fields, named as in JSON (S-15)."""

    types: ClassVar[frozenset[str]] = _ARRAYS
    keys: tuple[str, ...] = attrs.field(converter=_names)

    def _keywords(self) -> Mapping[str, Any]:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}

    def _fault(self) -> str | None:
        return None if self.keys and len(set(self.keys)) == len(self.keys) else "one key or more, each once (S-15)"


@attrs.frozen
class ListSet(Marker):
    """The list is a set: no item occurs twice (S-16)."""

    types: ClassVar[frozenset[str]] = _ARRAYS

    def _keywords(self) -> Mapping[str, Any]:
        return {"x-kubernetes-list-type": "set"}


@attrs.frozen
class Atomic(Marker):
    """The list or object is always replaced as a whole, and has one owner under server-side apply."""

    types: ClassVar[frozenset[str]] = _ARRAYS | _OBJECTS

    def keywords(self, json_type: str) -> Mapping[str, Any]:
        """The list type of an array, the map type of an object."""
        return {"x-kubernetes-list-type" if json_type == "array" else "x-kubernetes-map-type": "atomic"}


@attrs.frozen
class Nullable(Marker):
    """The value may be an explicit null, which is then kept; the type must allow None."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"nullable": True}


@attrs.frozen
class Description(Marker):
    """What ``kubectl explain`` says about the field. For a class, its docstring says it."""

    text: str

    def _keywords(self) -> Mapping[str, Any]:
        return {"description": self.text}


@attrs.frozen
class PreserveUnknownFields(Marker):
    """Fields that the schema does not name are kept instead of pruned."""

    types: ClassVar[frozenset[str]] = _OBJECTS | {"any"}

    def _keywords(self) -> Mapping[str, Any]:
        return {"x-kubernetes-preserve-unknown-fields": True}


@attrs.frozen
class EmbeddedResource(Marker):
    """The value is a whole Kubernetes object with apiVersion, kind and metadata of its own (S-12)."""

    types: ClassVar[frozenset[str]] = frozenset({"any"})

    def _keywords(self) -> Mapping[str, Any]:
        return {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}


def marked(*markers: Marker) -> Callable[[_T], _T]:
    """Class decorator: markers for every value of the class, such as ``Rule``, ``Atomic`` or ``PreserveUnknownFields``.

    Markers of base classes apply as well, before the class's own.
    """

    def decorate(cls: _T) -> _T:
        cls.__windlass_markers__ = (*vars(cls).get("__windlass_markers__", ()), *markers)
        return cls

    return decorate


def markers_of(cls: type) -> tuple[Marker, ...]:
    """The markers of a class, those of its bases first."""
    return tuple(marker for base in reversed(cls.__mro__) for marker in vars(base).get("__windlass_markers__", ()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
