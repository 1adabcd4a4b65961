"""A class becomes a kind in one step that checks everything: what has been imported is what a server will take.

This module does not know how a schema is made, or what the finished definition looks like as a file.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias, TypeVar

import attrs

from windlass.informers.resources import Resource
from windlass.informers.typed import CustomResource
from windlass.manifests.errors import InvalidKind
from windlass.manifests.paths import Column, Scale, check_column, check_scale, check_selectable
from windlass.manifests.schema import schema_of
from windlass.manifests.validation import JsonSchema

__all__ = ("Column", "KindInfo", "Scope", "check_subresources", "info_of", "kind")

Scope: TypeAlias = Literal["Namespaced", "Cluster"]
_C = TypeVar("_C", bound=type[CustomResource])

_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # DNS-1035
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")  # DNS-1123, dotted
_SUBDOMAIN_LENGTH_MAX: Final = 253
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_WARNING_LENGTH_MAX: Final = 256
_PROTECTED: Final = ("k8s.io", "kubernetes.io")


@attrs.frozen
class KindInfo:
    """What a registered class is called and how it is shown; kept on the class as ``__windlass_kind__``.

    ``deprecated`` is the warning that clients of this version get, "" for the server's own words, None for none.
    """

    resource: Resource
    singular: str
    list_kind: str
    scope: Scope
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    scale: Scale | None = None
    selectable: tuple[str, ...] = ()
    served: bool = True
    deprecated: str | None = None

    @property
    def crd_name(self) -> str:
        """The name of the definition: ``<plural>.<group>`` (R-01)."""
        return f"{self.resource.plural}.{self.resource.group}"


def kind(
    group_version: str,
    *,
    name: str | None = None,
    plural: str | None = None,
    singular: str | None = None,
    short_names: Iterable[str] = (),
    categories: Iterable[str] = (),
    scope: Scope = "Namespaced",
    columns: Iterable[Column] = (),
    scale: Scale | None = None,
    selectable: Iterable[str] = (),
    served: bool = True,
    deprecated: str | None = None,
) -> Callable[[_C], _C]:
    """Class decorator: register an attrs class, derived from ``CustomResource``, as a kind of ``group/version``.

    The kind is the class's name, unless ``name`` says otherwise, as a second version in the same module must;
    ``singular`` defaults to it in lower case, ``plural`` to that word's English plural. ``selectable`` are paths that
    field selectors may use, from Kubernetes 1.31 on. ``deprecated`` warns the clients of this version, "" in the
    server's own words. It stands above ``@attrs.frozen``. Raises ``InvalidKind`` at import for anything an API server
    would refuse.
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
        called = name or cls.__name__
        one = singular or called.lower()
        group, _, version = group_version.partition("/")
        schema = schema_of(cls)
        info = KindInfo(
            Resource(group, version, called, plural or _plural_of(one), namespaced=scope == "Namespaced"),
            singular=one,
            list_kind=f"{called}List",
            scope=scope,
            short_names=tuple(short_names),
            categories=tuple(categories),
            columns=tuple(columns),
            has_status="status" in schema["properties"],
            scale=scale,
            selectable=tuple(selectable),
            served=served,
            deprecated=deprecated,
        )
        _check_names(info, group_version)
        for column in info.columns:
            check_column(column, schema, f"{cls.__name__} column {column.name!r}")
        check_subresources(info, schema, cls.__name__)
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


def check_subresources(info: KindInfo, schema: JsonSchema, where: str) -> None:
    """What a kind says beside its names: scale, selectable fields, deprecation. Raises ``InvalidKind``."""
    if info.scale is not None:
        check_scale(info.scale, schema, where)
    check_selectable(info.selectable, schema, where)
    warning = info.deprecated
    if warning is not None and (len(warning) > _WARNING_LENGTH_MAX or not warning.isprintable()):
        raise InvalidKind(
            where,
            rule="the deprecation warning (R-08)",
            found=repr(warning),
            expected="a line of at most 256 characters",
        )
