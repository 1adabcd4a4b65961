"""Unions and other combinations of value checks: what stands inside constrains, and never declares (S-05, S-06).

A union is a class with a field for each case, marked ``@marked(ExactlyOneOf("s3", "gcs"))``. These become plain
``oneOf``, ``anyOf`` and ``not``, which every version of the API server knows, and not CEL.

This module does not know classes; a combination sees the finished node that it is added to.
"""

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeAlias

import attrs

from windlass.manifests.expectations import JsonSchema
from windlass.manifests.markers import Marker

__all__ = ("AllOf", "AnyOf", "AtLeastOneOf", "AtMostOneOf", "ExactlyOneOf", "Fields", "Not", "OneOf")

Alternative: TypeAlias = Marker | tuple[Marker, ...]

_OBJECTS: Final = frozenset({"object"})


@attrs.frozen(init=False)
class _Union(Marker):
    """Fields, named as in JSON, of which some must be present together or alone."""

    types: ClassVar[frozenset[str]] = _OBJECTS
    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        self.__attrs_init__(names)

    def _fault(self) -> str | None:
        return None if len(set(self.names)) == len(self.names) >= 2 else "two names or more, each once"

    def clash(self, node: Mapping[str, Any]) -> str | None:
        """Each name is a field that can be absent."""
        fields = node.get("properties", {})
        for name in self.names:
            if name not in fields:
                return f"a field out of {', '.join(sorted(fields))}, not {name!r} (S-06)"
            if name in node.get("required", ()) or "default" in fields[name]:
                return f"{name!r} to be absent by default, with the type T | None and the default None"
        return None


@attrs.frozen(init=False)
class ExactlyOneOf(_Union):
    """Of the fields named one is present, and no other: a union."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"oneOf": [{"required": [name]} for name in self.names]}


@attrs.frozen(init=False)
class AtLeastOneOf(_Union):
    """Of the fields named one or more are present."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"anyOf": [{"required": [name]} for name in self.names]}


@attrs.frozen(init=False)
class AtMostOneOf(_Union):
    """Of the fields named none or one is present."""

    def _keywords(self) -> Mapping[str, Any]:
        return {"not": {"anyOf": [{"required": list(pair)} for pair in itertools.combinations(self.names, 2)]}}


def _parts(alternative: Alternative) -> tuple[Marker, ...]:
    return alternative if isinstance(alternative, tuple) else (alternative,)


def _merged(alternative: Alternative, json_type: str) -> JsonSchema:
    merged: JsonSchema = {}
    for marker in _parts(alternative):
        words = marker.keywords_inside(json_type) if isinstance(marker, Fields) else marker.keywords(json_type)
        merged.update(words)
    return merged


def _fault_within(alternative: Alternative, json_type: str) -> str | None:
    for marker in _parts(alternative):
        name = type(marker).__name__
        if not getattr(marker, "nested", False):
            return f"checks of values inside, and no {name} (S-05)"
        if json_type not in marker.types:
            return f"checks that fit {json_type}, and no {name}"
        fault = marker.fault_inside(json_type) if isinstance(marker, Fields) else marker.fault(json_type)
        if fault is not None:
            return f"{name} with {fault}"
    return None


@attrs.frozen(init=False)
class _Combination(Marker):
    """A marker, or a tuple of markers that hold together, is one alternative."""

    nested: ClassVar[bool] = True
    keyword: ClassVar[str]
    alternatives: tuple[Alternative, ...]

    def __init__(self, *alternatives: Alternative) -> None:
        self.__attrs_init__(alternatives)

    def keywords(self, json_type: str) -> Mapping[str, Any]:
        """The alternatives as schemas."""
        return {self.keyword: [_merged(one, json_type) for one in self.alternatives]}

    def fault(self, json_type: str) -> str | None:
        """What the alternatives should have been."""
        if not self.alternatives:
            return "an alternative or more"
        return next((fault for one in self.alternatives if (fault := _fault_within(one, json_type))), None)

    def clash(self, node: Mapping[str, Any]) -> str | None:
        """Fields that the alternatives speak of exist."""
        markers = (marker for one in self.alternatives for marker in _parts(one))
        return next((fault for marker in markers if (fault := _clash_within(marker, node))), None)


def _clash_within(marker: Marker, node: Mapping[str, Any]) -> str | None:
    return marker.clash_inside(node) if isinstance(marker, Fields) else marker.clash(node)


@attrs.frozen(init=False)
class AllOf(_Combination):
    """Every alternative holds. Useful for several patterns."""

    keyword: ClassVar[str] = "allOf"


@attrs.frozen(init=False)
class AnyOf(_Combination):
    """One alternative or more holds."""

    keyword: ClassVar[str] = "anyOf"


@attrs.frozen(init=False)
class OneOf(_Combination):
    """Exactly one alternative holds."""

    keyword: ClassVar[str] = "oneOf"


@attrs.frozen
class Not(Marker):
    """The alternative does not hold."""

    nested: ClassVar[bool] = True
    alternative: Alternative

    def keywords(self, json_type: str) -> Mapping[str, Any]:
        """The alternative as a schema."""
        return {"not": _merged(self.alternative, json_type)}

    def fault(self, json_type: str) -> str | None:
        """What the alternative should have been."""
        return _fault_within(self.alternative, json_type)

    def clash(self, node: Mapping[str, Any]) -> str | None:
        """Fields that the alternative speaks of exist."""
        return next((fault for one in _parts(self.alternative) if (fault := _clash_within(one, node))), None)


@attrs.frozen(init=False)
class Fields(Marker):
    """Inside a combination: these fields, named as in JSON, are present; ``where`` says what holds of their values.

    ``Fields("cron", where={"mode": Values("scheduled")})``: ``cron`` is there, and ``mode`` is ``scheduled``.
    """

    types: ClassVar[frozenset[str]] = _OBJECTS
    nested: ClassVar[bool] = True
    present: tuple[str, ...]
    where: Mapping[str, Alternative]

    def __init__(self, *present: str, where: Mapping[str, Alternative] | None = None) -> None:
        self.__attrs_init__(present, where or {})

    def fault(self, json_type: str) -> str | None:
        """Outside of a combination there is nothing that it could add to."""
        del json_type
        return "a place inside AllOf, AnyOf, OneOf or Not"

    def fault_inside(self, json_type: str) -> str | None:
        """What it should have said. The values are looked at in ``clash_inside``, where their types are known."""
        del json_type
        return None if self.present or self.where else "a field or more"

    def keywords_inside(self, json_type: str) -> JsonSchema:
        """The fields as a schema that constrains."""
        del json_type
        words: JsonSchema = {}
        if self.present:
            words["required"] = list(self.present)
        if self.where:
            words["properties"] = {name: _merged(one, "any") for name, one in self.where.items()}
        return words

    def clash_inside(self, node: Mapping[str, Any]) -> str | None:
        """Every field exists, and what is said of its value fits its type (S-06)."""
        fields: Mapping[str, JsonSchema] = node.get("properties", {})
        for name in (*self.present, *self.where):
            if name not in fields:
                return f"a field out of {', '.join(sorted(fields))}, not {name!r} (S-06)"
        for name, one in self.where.items():
            if (fault := _fault_within(one, str(fields[name].get("type", "any")))) is not None:
                return f"for {name!r} {fault}"
        return None
