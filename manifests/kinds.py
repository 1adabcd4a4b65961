"""A class becomes a kind in one step that checks everything: what has been imported is what a server will take.

This module does not know how a schema is made, or what the finished definition looks like as a file.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias, TypeVar

import attrs

from windlass.informers.resources import Resource
from windlass.informers.typed import CustomResource
from windlass.manifests.errors import InvalidKind
from windlass.manifests.schema import schema_of
from windlass.manifests.validation import JsonSchema

__all__ = ("Column", "KindInfo", "Scope", "info_of", "kind")

Scope: TypeAlias = Literal["Namespaced", "Cluster"]
ColumnType: TypeAlias = Literal["string", "integer", "number", "boolean", "date"]
_C = TypeVar("_C", bound=type[CustomResource])

_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # DNS-1035
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")  # DNS-1123, dotted
_SUBDOMAIN_LENGTH_MAX: Final = 253
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_PROTECTED: Final = ("k8s.io", "kubernetes.io")
_COLUMN_TYPES: Final = ("string", "integer", "number", "boolean", "date")
_COLUMN_FORMATS: Final = (None, "int32", "int64", "float", "double", "byte", "date", "date-time", "password")
# The leading part of a path that names plain fields; what follows may be an index or a filter.
_PLAIN_PATH: Final = re.compile(r"(?:\.[A-Za-z_][A-Za-z0-9_-]*)+")


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
class KindInfo:
    """What a registered class is called and how it is shown; kept on the class as ``__windlass_kind__``."""

    resource: Resource
    singular: str
    list_kind: str
    scope: Scope
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    has_status: bool = False

    @property
    def crd_name(self) -> str:
        """The name of the definition: ``<plural>.<group>`` (R-01)."""
        return f"{self.resource.plural}.{self.resource.group}"


def kind(
    group_version: str,
    *,
    plural: str | None = None,
    singular: str | None = None,
    short_names: Iterable[str] = (),
    categories: Iterable[str] = (),
    scope: Scope = "Namespaced",
    columns: Iterable[Column] = (),
) -> Callable[[_C], _C]:
    """Class decorator: register an attrs class, derived from ``CustomResource``, as a kind of ``group/version``.

    The kind is the class's name; ``singular`` defaults to it in lower case, ``plural`` to that word's English plural.
    It stands above ``@attrs.frozen``. Raises ``InvalidKind`` at import for anything an API server would refuse.
    """

    def decorate(cls: _C) -> _C:
        if not issubclass(cls, CustomResource):
            raise InvalidKind(
                getattr(cls, "__name__", repr(cls)),
                rule="a kind is a class with metadata",
                found="a class that lacks it",
                expected="one derived from windlass.informers.CustomResource",
            )
        if "__attrs_attrs__" not in vars(cls):
            raise InvalidKind(
                cls.__name__, rule="a kind is an attrs class", found="a plain one", expected="@attrs.frozen below @kind"
            )
        one = singular or cls.__name__.lower()
        group, _, version = group_version.partition("/")
        schema = schema_of(cls)
        info = KindInfo(
            Resource(group, version, cls.__name__, plural or _plural_of(one), namespaced=scope == "Namespaced"),
            singular=one,
            list_kind=f"{cls.__name__}List",
            scope=scope,
            short_names=tuple(short_names),
            categories=tuple(categories),
            columns=tuple(columns),
            has_status="status" in schema["properties"],
        )
        _check_names(info, group_version)
        for column in info.columns:
            _check_column(column, schema, f"{cls.__name__} column {column.name!r}")
        cls.__windlass_resource__ = info.resource
        cls.__windlass_kind__ = info  # type: ignore[attr-defined]  # known to this room alone, read by `info_of`
        return cls

    return decorate


def info_of(cls: type[CustomResource]) -> KindInfo:
    """What ``kind`` recorded about the class itself. Raises ``InvalidKind`` if it was not decorated."""
    info = vars(cls).get("__windlass_kind__")
    if not isinstance(info, KindInfo):
        raise InvalidKind(
            cls.__name__, rule="a kind is registered", found="an undecorated class", expected="@kind('group/version')"
        )
    return info


def _plural_of(singular: str) -> str:
    if singular.endswith(("s", "x", "z", "ch", "sh")):
        return f"{singular}es"
    if singular.endswith("y") and singular[-2:-1] not in "aeiou":
        return f"{singular[:-1]}ies"
    return f"{singular}s"


def _check_names(info: KindInfo, group_version: str) -> None:
    name, resource = info.resource.kind, info.resource
    if group_version.count("/") != 1:
        raise InvalidKind(name, rule="group and version (R-01)", found=repr(group_version), expected="'group/version'")
    if not _SUBDOMAIN.fullmatch(resource.group) or len(resource.group) > _SUBDOMAIN_LENGTH_MAX:
        raise InvalidKind(
            name, rule="the group (R-01)", found=repr(resource.group), expected="a lower-case DNS name with a dot"
        )
    if resource.group.endswith(tuple(f".{end}" for end in _PROTECTED)) or resource.group in _PROTECTED:
        raise InvalidKind(
            name,
            rule="the group is not Kubernetes' own (R-10)",
            found=repr(resource.group),
            expected="a domain of yours",
        )
    if not _KIND.fullmatch(name):
        raise InvalidKind(
            name, rule="the kind (R-01)", found=repr(name), expected="CamelCase of letters and digits, at most 63"
        )
    if info.scope not in ("Namespaced", "Cluster"):
        raise InvalidKind(name, rule="the scope", found=repr(info.scope), expected="'Namespaced' or 'Cluster'")
    named: list[tuple[str, object]] = [
        ("version (R-02)", resource.version),
        ("singular (R-01)", info.singular),
        ("plural (R-01)", resource.plural),
        ("list kind in lower case (R-01)", info.list_kind.lower()),
        *(("short name (R-01)", each) for each in info.short_names),
        *(("category (R-01)", each) for each in info.categories),
    ]
    for what, label in named:
        if not isinstance(label, str) or not _LABEL.fullmatch(label):
            expected = "a DNS label: lower-case letters, digits and '-', a letter first, at most 63"
            raise InvalidKind(name, rule=f"the {what}", found=repr(label), expected=expected)


def _check_column(column: Column, schema: JsonSchema, where: str) -> None:
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
    _check_path(plain.group(), schema, where)


def _check_path(path: str, schema: JsonSchema, where: str) -> None:
    """Follow plain field names as far as the schema knows them: a column that misses its field stays empty for ever."""
    node: Any = schema
    seen = ""
    for name in path.removeprefix(".").split("."):
        if name == "metadata" and not seen:
            return
        fields = node.get("properties")
        if fields is None:
            return
        if name not in fields:
            expected = f"a field out of {', '.join(sorted(fields))}"
            raise InvalidKind(where, rule="the path of a column (R-06)", found=f"{seen}.{name}", expected=expected)
        node, seen = fields[name], f"{seen}.{name}"
