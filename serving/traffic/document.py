"""A document of routes is taken whole or not at all, and its refusal names every fault with the field it is in.

YAML, or JSON, which is YAML, too:

    routes:
      digits:
        arms:
          - {name: a, model: digits, weight: 95}
          - {name: b, model: digits-wide, weight: 5}

The fields are those of `Route`, `Arm`, `Match`, `Shadow` and `Experiment`; what is not one of them is a fault.
"""

import hashlib
import typing
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
import yaml

from windlass.serving.errors import RouteError
from windlass.serving.repository.scan import valid_name
from windlass.serving.traffic.route import Route, Routes

__all__ = ("digest", "parse_document", "read_route", "read_routes", "route_to_dict", "routes_to_dict")

_ROUTES_MAX = 256


class _Once(yaml.SafeLoader):
    """Refuses what is written twice, where the later one would win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def parse_document(content: bytes) -> Routes:
    """The routes of a file. Raises RouteError."""
    try:
        document = yaml.load(content, _Once)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RouteError([f"the document is not YAML: {' '.join(str(error).split())[:200]}"]) from error
    return read_routes(document)


def read_routes(document: object) -> Routes:
    """The routes of `{"routes": {NAME: …}}`. Raises RouteError."""
    faults: list[str] = []
    if not isinstance(document, dict) or set(document) != {"routes"}:
        raise RouteError([f"expected an object with the field routes alone, found {_shown(document)}"])
    found = document["routes"]
    if not isinstance(found, dict) or len(found) > _ROUTES_MAX:
        expected = f"an object of at most {_ROUTES_MAX} routes by name ({{}} for none)"
        raise RouteError([f"routes: expected {expected}, found {_shown(found)}"])
    routes: dict[str, Route] = {}
    for name, value in found.items():
        try:
            routes[name] = read_route(name, value)
        except RouteError as error:
            faults += [f"routes.{name}{': ' if fault.startswith('expected') else '.'}{fault}" for fault in error.faults]
    if faults:
        raise RouteError(faults)
    return Routes(routes)


def read_route(name: object, value: object) -> Route:
    """One route. Raises RouteError."""
    faults: list[str] = []
    if not isinstance(name, str) or not valid_name(name):
        faults.append(f"name: expected letters, digits, '-', '_' and '.', found {_shown(name)}")
    if not isinstance(value, dict):
        raise RouteError([f"expected an object, found {_shown(value)}"])
    if value.get("name", name) != name:
        faults.append(f"name: expected {_shown(name)} or nothing, found {_shown(value['name'])}")
    route = _built(Route, {**value, "name": str(name)}, where="", faults=faults)
    if faults:
        raise RouteError(faults)
    return typing.cast("Route", route)


def route_to_dict(route: Route) -> dict[str, Any]:
    """The route as its document: without the name, and without what is as by default."""
    return {key: value for key, value in _plain(route).items() if key != "name"}


def routes_to_dict(routes: Routes) -> dict[str, Any]:
    """The document."""
    return {"routes": {name: route_to_dict(route) for name, route in sorted(routes.by_name.items())}}


def digest(content: object) -> str:
    """32 hexadecimal digits that are others for another content."""
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if not attrs.has(type(value)):
        return value
    shown = {}
    for field in attrs.fields(type(value)):
        found = getattr(value, field.name)
        if field.default is attrs.NOTHING or found != field.default:
            shown[field.name] = _plain(found)
    return shown


def _built(cls: type[Any], found: object, *, where: str, faults: list[str]) -> Any:
    """The value of the attrs class, or None after adding to the faults."""
    if not isinstance(found, dict):
        faults.append(f"{where}: expected an object, found {_shown(found)}")
        return None
    before = len(faults)
    types = typing.get_type_hints(cls)
    dot = f"{where}." if where else ""
    known = {field.name: field for field in attrs.fields(cls)}
    faults += [
        f"{dot}{key}: unknown; expected {', '.join(name for name in known if where or name != 'name')}"
        for key in found
        if key not in known
    ]
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in found:
            values[name] = _value(found[name], types[name], where=dot + name, faults=faults)
        elif field.default is attrs.NOTHING:
            faults.append(f"{dot}{name}: missing")
    if len(faults) > before:
        return None
    try:
        return cls(**values)
    except RouteError as error:
        faults += error.faults
        return None


def _value(found: object, kind: Any, *, where: str, faults: list[str]) -> Any:
    element = next((one for one in (kind, *typing.get_args(kind)) if attrs.has(one)), None)
    if element is not None and typing.get_origin(kind) is tuple and isinstance(found, list):
        return [_built(element, one, where=f"{where}[{index}]", faults=faults) for index, one in enumerate(found)]
    if element is not None and typing.get_origin(kind) is not tuple and found is not None:
        return _built(element, found, where=where, faults=faults)
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        why, _, path = str(error).partition(" - at `$")
        faults.append(f"{where}{path.rstrip('`')}: {why[:1].lower()}{why[1:]}")
        return None


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(str(key) for key in list(value)[:5]) or 'no fields'}"[:200]
    return repr(value)[:80]
