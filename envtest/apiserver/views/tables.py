"""A Table is a view of objects for people: columns, cells, and the metadata of each row (T-01). Pure.

The JSONPath subset is that of printer columns: fields, quoted fields, indexes, `[*]` and one-condition filters. A
path that finds nothing gives null; what stands in the terminal for it is the client's text.
"""

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from windlass.envtest.apiserver.builtin.events import EVENTS
from windlass.envtest.apiserver.kinds import Column, Resource
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, encode

__all__ = ("age", "columns_of", "json_path", "partial", "row")

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\])+)
      | \[(?P<index>-?\d+)\]
      | \[(?P<all>\*)\]
      | \[['"](?P<quoted>[^'"]+)['"]\]
      | \[\?\(\s*@(?P<path>[^=!<>\s]+)\s*(?P<operator>==|!=)\s*(?P<literal>"[^"]*"|'[^']*'|[^\s)]+)\s*\)\]""",
    re.VERBOSE,
)
_MISSING: list[Any] = []


@lru_cache(maxsize=1024)
def json_path(path: str) -> Callable[[Any], list[Any]]:
    """A function that gives all values at a path; a path outside the subset finds nothing."""
    text = path.strip().removeprefix("{").removesuffix("}")
    text = text if text.startswith((".", "[")) else f".{text}"
    steps, position = [], 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            return lambda _: _MISSING
        steps.append(_step(found))
        position = found.end()

    def read(value: Any) -> list[Any]:
        values = [value]
        for step in steps:
            values = [result for value in values for result in step(value)]
        return values

    return read


def _step(found: re.Match[str]) -> Callable[[Any], list[Any]]:
    if found["all"]:
        return lambda value: (
            list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        )
    if found["index"]:
        index = int(found["index"])
        return lambda value: value[index:][:1] if isinstance(value, list) and -len(value) <= index < len(value) else []
    if found["path"]:
        return _filter(found)
    field = found["quoted"] or re.sub(r"\\(.)", r"\1", found["field"])
    return lambda value: [value[field]] if isinstance(value, dict) and field in value else []


def _filter(found: re.Match[str]) -> Callable[[Any], list[Any]]:
    read, wanted, equal = json_path(found["path"]), found["literal"].strip("\"'"), found["operator"] == "=="

    def step(value: Any) -> list[Any]:
        items = value if isinstance(value, list) else []
        return [item for item in items if ([_text(part) for part in read(item)] == [wanted]) is equal]

    return step


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else encode(value).decode()


def columns_of(resource: Resource) -> list[Json]:
    """The column definitions: Name first, then those of the kind."""
    name = {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "Name must be unique within a namespace.",
        "priority": 0,
    }
    own = [
        {
            "name": column.name,
            "type": column.type
            if resource.custom
            else "string"
            if column.type in ("date", "duration")
            else column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in resource.columns
    ]
    return own if resource.place == EVENTS else [name, *own]


def row(stored: Stored, resource: Resource, now: dt.datetime, include: str) -> Json:
    """One row; `include` is Metadata, Object or None."""
    cells = [_cell(column, stored.obj, now) for column in resource.columns]
    if resource.place != EVENTS:
        cells.insert(0, stored.key.name)
    result: Json = {"cells": cells}
    if include == "Object":
        result["object"] = stored.obj
    elif include != "None":
        result["object"] = partial(stored)
    return result


def partial(stored: Stored, version: str = "v1") -> Json:
    """The metadata alone (T-02)."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": stored.metadata}


def _cell(column: Column, obj: Json, now: dt.datetime) -> Any:
    if column.compute is not None:
        value = column.compute(obj)
        if column.type == "duration" and value is not None:
            return age(value[0], _moment(value[1]) or now)
        return age(str(value), now) if column.type == "date" and value is not None else value
    found = json_path(column.path)(obj)
    return _typed(found[0], column.type, now) if found and found[0] is not None else None


def _typed(value: Any, kind: str, now: dt.datetime) -> Any:
    match kind:
        case "integer":
            return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return age(str(value), now)
    return _text(value)


def age(moment: str, now: dt.datetime) -> str:
    """The time since a moment as kubectl shows it: `7s`, `3m12s`, `5h`, `12d`."""
    then = _moment(moment)
    if then is None:
        return "<invalid>"
    return _duration(int((now - then).total_seconds()))


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def _duration(seconds: int) -> str:
    if seconds < -1:
        return "<invalid>"
    seconds = max(0, seconds)
    for limit, (unit, size), (rest, part) in _AGES:
        if seconds < limit:
            remainder = seconds % size // part if rest else 0
            return f"{seconds // size}{unit}" + (f"{remainder}{rest}" if remainder else "")
    return f"{seconds // _YEAR}y"


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_AGES = (  # below this many seconds: in this unit, and the remainder in that one
    (2 * _MINUTE, ("s", 1), ("", 1)),
    (10 * _MINUTE, ("m", _MINUTE), ("s", 1)),
    (3 * _HOUR, ("m", _MINUTE), ("", 1)),
    (8 * _HOUR, ("h", _HOUR), ("m", _MINUTE)),
    (2 * _DAY, ("h", _HOUR), ("", 1)),
    (8 * _DAY, ("d", _DAY), ("h", _HOUR)),
    (2 * _YEAR, ("d", _DAY), ("", 1)),
    (8 * _YEAR, ("y", _YEAR), ("d", _DAY)),
)
