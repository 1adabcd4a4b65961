"""A resource is the address of one kind of object: everything needed to build its URL, and nothing about its contents.

This module does not know requests, clients or typed classes; it only recognises a class that names its resource.
"""

import re
from typing import TYPE_CHECKING, TypeAlias, Union
from urllib.parse import quote

import attrs

from windlass.informers.errors import UnregisteredKind

if TYPE_CHECKING:
    from windlass.informers.typed import CustomResource

__all__ = ("Kind", "Resource", "quoted", "resource_of")

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")


def quoted(text: str, *, safe: str = "") -> str:
    """`text` as part of a URL. Nearly every name of Kubernetes needs no quoting, and seeing that is cheap."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe=safe)


@attrs.frozen(cache_hash=True)
class Resource:
    """One kind as the API server serves it; `group` is "" for the core group, `plural` its lower-case URL segment."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`v1` for the core group, `group/version` for all others."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of its subresource.

        The namespace is left out for cluster-scoped resources and for a list across all namespaces (None or "").
        Raises ValueError for a name or namespace that would make it the path of something else: a DELETE of an object
        without a name is one of all objects.
        """
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if namespace and self.namespaced:
            _check(self, "namespace", namespace)
            path += f"/namespaces/{quoted(namespace, safe=':')}"
        path += f"/{self.plural}"
        if name is not None:
            _check(self, "name", name)
            path += f"/{quoted(name, safe=':')}"
            if subresource:
                path += f"/{subresource}"
        return path

    def __str__(self) -> str:
        return f"{self.plural}.{self.version}.{self.group}" if self.group else f"{self.plural}.{self.version}"


def _check(resource: Resource, field: str, segment: str) -> None:
    if segment in ("", ".", ".."):
        raise ValueError(f"{resource}: expected the {field} of an object, found {segment!r}")


Kind: TypeAlias = Union[Resource, "type[CustomResource]"]
"""What every function that reads or writes objects accepts: a resource, or a class registered for one."""


def resource_of(kind: Kind) -> Resource:
    """The resource of a kind; a class must carry `__windlass_resource__` of its own or by inheritance.

    Raises UnregisteredKind, naming the class and the remedy.
    """
    if isinstance(kind, Resource):
        return kind
    resource = getattr(kind, "__windlass_resource__", None)
    if isinstance(resource, Resource):
        return resource
    name = getattr(kind, "__qualname__", repr(kind))
    raise UnregisteredKind(
        f"{name} is not registered as a kind: decorate the class with @kind('group/version') or pass a Resource"
    )
