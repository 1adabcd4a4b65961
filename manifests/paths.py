"""A path of a kind leads somewhere: the columns, the scale subresource and selectable fields name fields that exist.

This module does not know classes; it sees their schemas.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from windlass.manifests.errors import InvalidKind
from windlass.manifests.validation import JsonSchema

__all__ = ("Column", "ColumnType", "Scale", "check_column", "check_scale", "check_selectable", "node_at")

ColumnType: TypeAlias = Literal["string", "integer", "number", "boolean", "date"]

_COLUMN_TYPES: Final = ("string", "integer", "number", "boolean", "date")
_COLUMN_FORMATS: Final = (None, "int32", "int64", "float", "double", "byte", "date", "date-time", "password")
# The leading part of a path that names plain fields; what follows may be an index or a filter.
_PLAIN_PATH: Final = re.compile(r"(?:\.[A-Za-z_][A-Za-z0-9_-]*)+")
_SELECTABLE_MAX: Final = 8


@attrs.frozen
class Column:
    """A column of ``kubectl get``: ``json_path`` like ``.spec.replicas``; ``priority`` above 0 shows it in ``-o wide``.

    A ``date`` column is shown as an age. A kind without columns of its own gets one, ``Age``, from the server.
    """

    name: str
    json_path: str
    type: ColumnType = "string"
    priority: int = 0
    description: str = ""
    format: str | None = None


@attrs.frozen
class Scale:
    """Where ``kubectl scale`` and autoscalers find their numbers, as paths of plain fields (R-05).

    ``selector`` is the text of a label selector, which an autoscaler for pods wants.
    """

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str | None = None


def check_column(column: Column, schema: JsonSchema, where: str) -> None:
    """Raises ``InvalidKind`` for a column that no server would take, or that would stay empty (R-06)."""
    if not column.name.strip():
        raise InvalidKind(where, rule="the name of a column (R-06)", found="a blank", expected="a heading")
    if column.type not in _COLUMN_TYPES:
        raise InvalidKind(
            where, rule="the type of a column (R-06)", found=repr(column.type), expected=", ".join(_COLUMN_TYPES)
        )
    if column.format not in _COLUMN_FORMATS:
        formats = ", ".join(each for each in _COLUMN_FORMATS if each)
        raise InvalidKind(where, rule="the format of a column (R-06)", found=repr(column.format), expected=formats)
    if type(column.priority) is not int or column.priority < 0:
        raise InvalidKind(
            where, rule="the priority of a column (R-06)", found=repr(column.priority), expected="an integer from 0 up"
        )
    plain = _PLAIN_PATH.match(column.json_path)
    if plain is None:
        raise InvalidKind(
            where,
            rule="the path of a column (R-06)",
            found=repr(column.json_path),
            expected="a JSON path that starts with a field, such as .spec.replicas",
        )
    # A column that misses its field stays empty for ever.
    node_at(plain.group(), schema, where, rule="the path of a column (R-06)")


def check_scale(scale: Scale, schema: JsonSchema, where: str) -> None:
    """Raises ``InvalidKind`` unless each path is plain, under spec or status, and of the right type (R-05)."""
    rules = (
        ("spec_replicas", scale.spec_replicas, (".spec.",), "integer"),
        ("status_replicas", scale.status_replicas, (".status.",), "integer"),
        ("selector", scale.selector, (".spec.", ".status."), "string"),
    )
    for what, path, roots, wanted in rules:
        if path is None:
            continue
        rule = f"the path {what} of the scale subresource (R-05)"
        if not _PLAIN_PATH.fullmatch(path) or not path.startswith(roots):
            raise InvalidKind(where, rule=rule, found=repr(path), expected=f"plain fields under {' or '.join(roots)}")
        found = node_at(path, schema, where, rule=rule).get("type")
        if found != wanted:
            raise InvalidKind(
                where, rule=rule, found=f"{path}, of the type {found}", expected=f"a field of type {wanted}"
            )


def check_selectable(selectable: Sequence[str], schema: JsonSchema, where: str) -> None:
    """Raises ``InvalidKind`` unless there are at most eight, each a plain path to a scalar (R-07)."""
    rule = "the selectable fields (R-07)"
    if len(selectable) > _SELECTABLE_MAX or len(set(selectable)) < len(selectable):
        raise InvalidKind(where, rule=rule, found=repr(list(selectable)), expected="at most eight, each once")
    for path in selectable:
        if not _PLAIN_PATH.fullmatch(path) or path.startswith(".metadata"):
            raise InvalidKind(where, rule=rule, found=repr(path), expected="plain fields, outside of metadata")
        found = node_at(path, schema, where, rule=rule).get("type")
        if found not in ("string", "boolean", "integer"):
            expected = "a field that is a string, a boolean or an integer"
            raise InvalidKind(where, rule=rule, found=f"{path}, of the type {found}", expected=expected)


def node_at(path: str, schema: JsonSchema, where: str, *, rule: str) -> JsonSchema:
    """The schema where plain field names lead, as far as it knows them. Raises ``InvalidKind`` for a field it lacks.

    Below what takes anything, and in metadata, every field may be: there the answer is an empty schema.
    """
    node: Any = schema
    seen = ""
    for name in path.removeprefix(".").split("."):
        if name == "metadata" and not seen:
            return {}
        fields = node.get("properties")
        if fields is None:
            return {}
        if name not in fields:
            if node.get("x-kubernetes-preserve-unknown-fields"):
                return {}
            expected = f"a field out of {', '.join(sorted(fields))}"
            raise InvalidKind(where, rule=rule, found=f"{seen}.{name}", expected=expected)
        node, seen = fields[name], f"{seen}.{name}"
    found: JsonSchema = node
    return found
