"""The fields of an object as a set of paths, and what lists and maps mean for that set (P-12). Pure.

A path is a tuple of elements in the notation of FieldsV1: `f:name`, `k:{"name":"a"}` for an item of a keyed list,
`v:"x"` for one of a set. Atomic lists and maps are one path. `Shape` knows the list types: from the schema of a
custom kind, from a small table for built-in ones.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import attrs

from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.patch.strategic import MERGE_KEYS
from windlass.envtest.apiserver.values import Json, decode, encode

__all__ = ("Path", "Shape", "element", "from_fields", "leaves", "matches", "nodes", "shape_of", "shown", "to_fields")

Path = tuple[str, ...]

_ATOMIC_LISTS = frozenset({"taints", "topologySpreadConstraints", "hostAliases", "addresses"})
_ATOMIC_MAPS = frozenset(
    {"selector", "nodeSelector", "valueFrom", "labelSelector", "involvedObject", "regarding", "related"}
)
_SETS = frozenset({"finalizers"})
_SERVER_FIELDS = frozenset(
    {
        "name",
        "namespace",
        "generateName",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)


@attrs.frozen
class Shape:
    """What is known of a value: its schema (custom kinds) or the name of its field (built-in kinds and metadata)."""

    schema: Json | None = None
    field: str = ""

    def child(self, key: str) -> Self:
        """The shape of a field or of a map's value."""
        if self.schema is None:
            return type(self)(None, key)
        part = (self.schema.get("properties") or {}).get(key, self.schema.get("additionalProperties"))
        return type(self)(part if isinstance(part, dict) else {})

    def item(self) -> Self:
        """The shape of a list's item."""
        if self.schema is None:
            return type(self)(None, "")
        part = self.schema.get("items")
        return type(self)(part if isinstance(part, dict) else {})

    @property
    def atomic_map(self) -> bool:
        """Whether a map is owned whole."""
        if self.schema is None:
            return self.field in _ATOMIC_MAPS
        return self.schema.get("x-kubernetes-map-type") == "atomic"

    def list_keys(self, items: Iterable[Any]) -> tuple[str, ...] | None:
        """The keys of a keyed list, () for a set, None for an atomic list."""
        if self.schema is not None:
            kind = self.schema.get("x-kubernetes-list-type")
            return (
                tuple(self.schema.get("x-kubernetes-list-map-keys") or ())
                if kind == "map"
                else ()
                if kind == "set"
                else None
            )
        if self.field in _SETS:
            return ()
        if self.field == "ports":
            container = any(isinstance(item, dict) and "containerPort" in item for item in items)
            return ("containerPort" if container else "port", "protocol")
        if self.field in MERGE_KEYS and self.field not in _ATOMIC_LISTS:
            return (MERGE_KEYS[self.field],)
        return None


def shape_of(resource: Resource) -> Shape:
    """The shape of whole objects of a kind."""
    return Shape(resource.schema)


def element(item: Any, keys: tuple[str, ...], shape: Shape) -> str:
    """The path element of a list's item."""
    if not keys or not isinstance(item, dict):
        return "v:" + encode(item).decode()
    properties = ((shape.schema or {}).get("items") or {}).get("properties") or {}
    identity = {}
    for key in sorted(keys):
        default = "TCP" if key == "protocol" and shape.schema is None else properties.get(key, {}).get("default")
        identity[key] = item.get(key, default)
    return "k:" + encode(identity).decode()


def leaves(obj: Json, shape: Shape) -> dict[Path, Any]:
    """The paths of an object that a manager can own, with their values; what the server sets itself is left out."""
    found: dict[Path, Any] = {}
    for key, value in obj.items():
        if key == "metadata":
            fields = {name: part for name, part in value.items() if name not in _SERVER_FIELDS}
            for name, part in fields.items():
                found.update(_walk(part, Shape(None, name), ("f:metadata", f"f:{name}")))
        elif key not in ("apiVersion", "kind"):
            found.update(_walk(value, shape.child(key), (f"f:{key}",)))
    return found


def _walk(value: Any, shape: Shape, at: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and not shape.atomic_map:
        for key, part in value.items():
            yield from _walk(part, shape.child(key), (*at, f"f:{key}"))
        return
    keys = shape.list_keys(value) if isinstance(value, list) and value else None
    if keys is None:
        yield at, value
        return
    for item in value:
        place = (*at, element(item, keys, shape))
        yield place, None if keys else item
        if keys and isinstance(item, dict):
            yield from _walk(item, shape.item(), place)


def nodes(paths: Iterable[Path]) -> frozenset[Path]:
    """The paths and every map and list around them: what a plain write creates, and so owns, where it was absent."""
    found = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
    return frozenset(found - {("f:metadata",)})


def matches(item: Any, wanted: str, keys: tuple[str, ...], shape: Shape) -> bool:
    """Whether a list's item is the one a path element names."""
    return element(item, keys, shape) == wanted


def to_fields(paths: Iterable[Path]) -> Json:
    """FieldsV1 of a set of paths."""
    root: Json = {}
    for path in sorted(paths):
        node = root
        for part in path:
            node = node.setdefault(part, {})
        node["."] = {}
    return _compact(root)


def _compact(node: Json) -> Json:
    """A member without children is written `{}`; one with children keeps its dot."""
    if set(node) == {"."}:
        return {}
    return {key: part if key == "." else _compact(part) for key, part in node.items()}


def from_fields(fields: Any) -> frozenset[Path]:
    """The paths of FieldsV1; what is malformed is left out."""
    return frozenset(_members(fields, ())) if isinstance(fields, dict) and fields else frozenset()


def _members(node: Json, at: Path) -> Iterator[Path]:
    if not node:
        yield at
    for key, part in node.items():
        if key == ".":
            yield at
        elif isinstance(part, dict):
            yield from _members(part, (*at, key))


def shown(path: Path) -> str:
    """A path as in messages: `.spec.containers[name="a"].image`."""
    text = ""
    for part in path:
        kind, rest = part[:2], part[2:]
        if kind == "f:":
            text += f".{rest}"
        elif kind == "k:":
            text += "[" + ",".join(f"{key}={encode(value).decode()}" for key, value in decode(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text
