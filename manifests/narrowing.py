"""One node of a schema is compared with what it was: a change breaks if it takes a value no more that it took.

Fields, items and entries are compared elsewhere, each as a node of its own. This module is pure.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from windlass.manifests.expectations import JsonSchema

__all__ = ("Found", "narrowed")

_LOWER: Final = ("minimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_EXACT: Final = {
    "pattern": "pattern",
    "format": "format",
    "x-kubernetes-list-type": "list type",
    "x-kubernetes-list-map-keys": "keys of the list",
    "x-kubernetes-map-type": "map type",
}
_WORDING: Final = ("description", "title", "example", "externalDocs")
_ANY: Final = "any"
_INT_OR_STRING: Final = "int-or-string"
# What each type takes beside itself.
_WIDER: Final[Mapping[str, tuple[str, ...]]] = {
    "integer": ("number", _INT_OR_STRING, _ANY),
    "string": (_INT_OR_STRING, _ANY),
}


@attrs.frozen
class Found:
    """A difference at a path of the schema."""

    path: str
    text: str
    breaking: bool


def narrowed(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    """Yield the differences of two nodes themselves, breaking or not."""
    before, after = _type(old), _type(new)
    if before != after:
        yield Found(path, f"type {before} became {after}", breaking=after not in _WIDER.get(before, (_ANY,)))
        return
    yield from _bounds(old, new, path)
    yield from _enums(old, new, path)
    for keyword, name in _EXACT.items():
        if old.get(keyword) != new.get(keyword):
            loosened = keyword in ("pattern", "format") and keyword not in new
            yield Found(path, _became(name, old.get(keyword), new.get(keyword)), breaking=not loosened)
    yield from _switches(old, new, path)
    if old.get("default") != new.get("default"):
        yield Found(path, _became("default", old.get("default"), new.get("default")), breaking="default" in old)
    yield from _rules(old, new, path)
    yield from _combinations(old, new, path)
    if any(old.get(keyword) != new.get(keyword) for keyword in _WORDING):
        yield Found(path, "described in other words", breaking=False)


def _type(node: JsonSchema) -> str:
    return _INT_OR_STRING if node.get("x-kubernetes-int-or-string") else str(node.get("type", _ANY))


def _became(name: str, old: object, new: object) -> str:
    if old is None:
        return f"{name} {_text(new)} is new"
    if new is None:
        return f"{name} {_text(old)} is gone"
    return f"{name} {_text(old)} became {_text(new)}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _bounds(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    for keyword, sign in (*((each, 1) for each in _LOWER), *((each, -1) for each in _UPPER)):
        exclusive = f"exclusive{keyword[:1].upper()}{keyword[1:]}"
        before, after = _bound(old, keyword, exclusive, sign), _bound(new, keyword, exclusive, sign)
        if before == after:
            continue
        tighter = after is not None and (before is None or after > before)
        yield Found(
            path,
            _became(keyword, _bound_text(old, keyword, exclusive), _bound_text(new, keyword, exclusive)),
            breaking=tighter,
        )
    before, after = old.get("multipleOf"), new.get("multipleOf")
    if before != after:
        divides = after is None or (before is not None and before % after == 0)
        yield Found(path, _became("multipleOf", before, after), breaking=not divides)


def _bound(node: JsonSchema, keyword: str, exclusive: str, sign: int) -> tuple[float, bool] | None:
    """The bound as a pair that grows with tightness."""
    return (sign * node[keyword], bool(node.get(exclusive))) if keyword in node else None


def _bound_text(node: JsonSchema, keyword: str, exclusive: str) -> str | None:
    if keyword not in node:
        return None
    return f"{node[keyword]}{' (exclusive)' if node.get(exclusive) else ''}"


def _enums(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    before, after = old.get("enum"), new.get("enum")
    if before is None and after is not None:
        yield Found(path, f"only {_text(after)} are allowed now", breaking=True)
    elif before is not None and after is None:
        yield Found(path, "all values are allowed now", breaking=False)
    elif before is not None and after is not None:
        for value in before:
            if value not in after:
                yield Found(path, f"the value {_text(value)} is gone", breaking=True)
        for value in after:
            if value not in before:
                yield Found(path, f"the value {_text(value)} is new", breaking=False)


def _switches(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    for keyword, gained, lost in (
        ("nullable", "may be null now", "may not be null any more"),
        ("x-kubernetes-preserve-unknown-fields", "unknown fields are kept now", "unknown fields are pruned now"),
    ):
        if bool(old.get(keyword)) != bool(new.get(keyword)):
            yield Found(path, gained if new.get(keyword) else lost, breaking=not new.get(keyword))
    embedded = "x-kubernetes-embedded-resource"
    if bool(old.get(embedded)) != bool(new.get(embedded)):
        now = "must be a whole resource now" if new.get(embedded) else "may be anything now"
        yield Found(path, now, breaking=bool(new.get(embedded)))


def _rules(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    before, after = ([rule["rule"] for rule in node.get("x-kubernetes-validations", ())] for node in (old, new))
    for rule in after:
        if rule not in before:
            yield Found(path, f"the rule {rule!r} is new", breaking=True)
    for rule in before:
        if rule not in after:
            yield Found(path, f"the rule {rule!r} is gone", breaking=False)


def _combinations(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    for keyword in ("allOf", "anyOf", "oneOf", "not"):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        # Another case of a union takes nothing away as long as each case is a field of its own.
        more = keyword in ("anyOf", "oneOf") and _contains(after, before)
        fewer = keyword == "allOf" and _contains(before, after)
        yield Found(path, _became(keyword, before, after), breaking=not (after is None or more or fewer))


def _contains(more: Any, fewer: Any) -> bool:
    return isinstance(more, list) and isinstance(fewer, list) and all(each in more for each in fewer)
