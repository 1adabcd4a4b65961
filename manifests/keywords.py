"""The keywords that markers add to a node fit its type, agree with each other and are legal where the node stands.

This module does not know annotations or classes: it sees a node that ``schema`` has made, its markers, and its place.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

import attrs

from windlass.manifests.errors import InvalidKind
from windlass.manifests.markers import Marker
from windlass.manifests.validation import JsonSchema

__all__ = ("Place", "apply_markers", "check_list", "json_type")

_OLD_SELF: Final = re.compile(r"\boldSelf\b")
_SCALARS: Final = ("string", "integer", "number", "boolean")
_VALIDATIONS: Final = "x-kubernetes-validations"
_COMBINATIONS: Final = ("oneOf", "anyOf", "not")


@attrs.frozen
class Place:
    """Where in a kind a node stands.

    ``where`` names class and field; ``ancestors`` are the classes being described, outermost first; ``correlated`` says
    that an update can tell which old value a new one replaces (L-03); ``observed`` that this is under ``status``;
    ``may_be_absent`` that the value may be left out.
    """

    where: str
    ancestors: tuple[type, ...] = ()
    correlated: bool = True
    observed: bool = False
    may_be_absent: bool = False

    def refuse(self, *, rule: str, found: str, expected: str) -> InvalidKind:
        """The error to raise for what stands here."""
        return InvalidKind(self.where, rule=rule, found=found, expected=expected)


def json_type(node: JsonSchema) -> str:
    """The node's type as markers name it: a JSON type, "int-or-string", or "any" where there is none."""
    if node.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    return str(node.get("type", "any"))


def apply_markers(node: JsonSchema, markers: Iterable[object], place: Place) -> None:
    """Add the keywords of the markers to the node, in place. What is no marker of ours is left to whose it is.

    Raises ``InvalidKind`` if a marker does not fit the type, is wrong itself, contradicts another or has no place here.
    """
    kind = json_type(node)
    for marker in markers:
        if isinstance(marker, type) and issubclass(marker, Marker):
            raise place.refuse(rule="a marker is a value", found=marker.__name__, expected=f"{marker.__name__}(…)")
        if isinstance(marker, Marker):
            _check_fit(marker, kind, place)
            if (expected := marker.clash(node)) is not None:
                raise place.refuse(
                    rule=f"{type(marker).__name__} fits the fields", found=repr(marker), expected=expected
                )
            _add(node, marker, place)
    _check_bounds(node, place)
    _check_rules(node, place)
    if node.get("nullable") and "enum" in node:
        # Server 1.20 refuses a definition with a null among the values; without one, others look the null up in vain.
        raise place.refuse(
            rule="an enum has no null that every server understands",
            found="Nullable",
            expected="the default None, and the field left out",
        )


def _check_fit(marker: Marker, kind: str, place: Place) -> None:
    name = type(marker).__name__
    if kind not in marker.types:
        types = ", ".join(sorted(marker.types))
        raise place.refuse(rule=f"{name} fits the type of its field", found=f"{marker!r} on {kind}", expected=types)
    if (expected := marker.fault(kind)) is not None:
        raise place.refuse(rule=f"{name} is well formed", found=repr(marker), expected=expected)


def _add(node: JsonSchema, marker: Marker, place: Place) -> None:
    for keyword, value in marker.keywords(json_type(node)).items():
        if keyword in (_VALIDATIONS, "allOf"):
            node[keyword] = [*node.get(keyword, ()), *value]
        elif keyword in _COMBINATIONS and keyword in node:
            # A second one of a kind: `allOf` holds any number of them.
            node["allOf"] = [*node.get("allOf", ()), {keyword: value}]
        elif keyword != "description" and node.get(keyword, value) != value:
            raise place.refuse(
                rule=f"one value for {keyword}",
                found=f"{json.dumps(node[keyword])} and, from {marker!r}, {json.dumps(value)}",
                expected="one of the two",
            )
        else:
            node[keyword] = value


def _check_bounds(node: JsonSchema, place: Place) -> None:
    bounds = (
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    )
    for low, high in bounds:
        if low in node and high in node and node[low] > node[high]:
            raise place.refuse(
                rule="some value is valid",
                found=f"{low} {node[low]} above {high} {node[high]}",
                expected="bounds in order",
            )


def _check_rules(node: JsonSchema, place: Place) -> None:
    for rule in node.get(_VALIDATIONS, ()):
        if _OLD_SELF.search(rule["rule"]) and not place.correlated:
            raise place.refuse(
                rule="a transition rule needs an old value to compare with (L-03)",
                found=f"{rule['rule']!r} inside a list that is no ListMap, or inside something atomic",
                expected="the rule further out, or a ListMap",
            )


def check_list(node: JsonSchema, place: Place) -> None:
    """Check a finished array node against the rules of its list type (S-15, S-16). Raises ``InvalidKind``."""
    items = node["items"]
    kind = node.get("x-kubernetes-list-type")
    if kind == "map":
        if items.get("type") != "object" or "properties" not in items:
            raise place.refuse(
                rule="items of a ListMap are objects (S-15)", found=json_type(items), expected="an attrs class"
            )
        if items.get("nullable"):
            raise place.refuse(rule="items of a ListMap are no nulls (S-15)", found="Nullable", expected="none")
        for key in node["x-kubernetes-list-map-keys"]:
            _check_key(key, items, place)
    if kind == "set":
        atomic = items.get("x-kubernetes-map-type" if json_type(items) == "object" else "x-kubernetes-list-type")
        if items.get("nullable"):
            raise place.refuse(rule="items of a ListSet are no nulls (S-16)", found="Nullable", expected="none")
        # An array without a list type is atomic already; an object has to say so.
        if (json_type(items) == "object" and atomic != "atomic") or (
            json_type(items) == "array" and atomic not in (None, "atomic")
        ):
            raise place.refuse(
                rule="items of a ListSet are scalars or atomic (S-16)",
                found=f"an {json_type(items)} that is not",
                expected="Atomic() on the items",
            )


def _check_key(key: str, items: JsonSchema, place: Place) -> None:
    fields = items["properties"]
    rule = f"the key {key!r} of a ListMap (S-15)"
    if key not in fields:
        raise place.refuse(rule=rule, found="no such field", expected=f"a JSON name out of {', '.join(sorted(fields))}")
    field = fields[key]
    if field.get("type") not in _SCALARS:
        raise place.refuse(rule=rule, found=json_type(field), expected="a scalar field")
    if field.get("nullable"):
        raise place.refuse(rule=rule, found="a nullable field", expected="one without Nullable")
    if key not in items.get("required", ()) and "default" not in field:
        raise place.refuse(rule=rule, found="a field that may be absent", expected="one that is required or defaulted")
