"""A role permits what was said to be needed, and nothing else: rules are the union of needs, merged and sorted.

Needs come from what controllers declare (``controller.permissions``) and from ``@needs`` on a reconciler, which names
its writes. ``Ask`` is a request as RBAC sees it, so that what was observed can be held against what is permitted.

This module is pure; it does not know controllers, nor who may be bound to a role.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from windlass.informers.resources import Kind, resource_of

__all__ = ("READ", "Ask", "Need", "asked", "needs", "needs_of", "outside", "rules")

READ: Final = ("get", "list", "watch")
"""The verbs of a cache, and of reading around it."""

_F = TypeVar("_F", bound=Callable[..., Any])

_ORDER: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@attrs.frozen
class Need:
    """Verbs on one kind, or on a subresource of it. ``names`` restricts it to objects that are called so."""

    group: str
    plural: str
    verbs: tuple[str, ...]
    subresource: str = ""
    names: tuple[str, ...] = ()
    namespaced: bool = True

    @classmethod
    def on(cls, kind: Kind, *verbs: str, subresource: str = "", names: Iterable[str] = ()) -> "Need":
        """The need of a kind, which must be registered. Raises UnregisteredKind, and ValueError for an unknown verb."""
        resource = resource_of(kind)
        unknown = sorted(set(verbs) - set(_ORDER))
        if unknown or not verbs:
            raise ValueError(f"expected verbs out of {', '.join(_ORDER)}, found {', '.join(unknown) or 'none'}")
        return cls(resource.group, resource.plural, verbs, subresource, tuple(names), resource.namespaced)

    @property
    def target(self) -> str:
        """The resource as rules name it: ``pods`` or ``pods/status``."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def needs(kind: Kind, *verbs: str, subresource: str = "", names: Iterable[str] = ()) -> Callable[[_F], _F]:
    """Decorator of a reconciler: it writes this kind so. May be repeated.

    One that has any such decorator needs what they say, and reads; without one it is taken to write what ``Context``
    offers for its kinds. ``names`` restricts ``get``, ``update``, ``patch`` and ``delete`` to objects called so.
    """
    need = Need.on(kind, *verbs, subresource=subresource, names=names)

    def decorate(function: _F) -> _F:
        function.__windlass_needs__ = (need, *needs_of(function))  # type: ignore[attr-defined]  # read by `needs_of`
        return function

    return decorate


def needs_of(function: object) -> tuple[Need, ...]:
    """What ``needs`` said of a reconciler, its class if it is an instance; empty if nothing."""
    found: tuple[Need, ...] = getattr(function, "__windlass_needs__", ())
    return found


def rules(wanted: Iterable[Need]) -> list[dict[str, Any]]:
    """Return the rules of a role, the same for the same needs in whatever order."""
    verbs: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for need in wanted:
        verbs.setdefault((need.group, need.target, tuple(sorted(need.names))), set()).update(need.verbs)
    merged: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, target, names), found in verbs.items():
        ordered: tuple[str, ...] = tuple(verb for verb in _ORDER if verb in found)
        merged.setdefault((group, names, ordered), []).append(target)
    made = []
    for (group, names, ordered), targets in sorted(merged.items(), key=lambda item: (item[0][0], sorted(item[1]))):
        rule: dict[str, Any] = {"apiGroups": [group], "resources": sorted(targets), "verbs": list(ordered)}
        if names:
            rule["resourceNames"] = list(names)
        made.append(rule)
    return made


@attrs.frozen
class Ask:
    """A request as RBAC sees it."""

    verb: str
    group: str
    target: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        kind = f"{self.target}.{self.group}" if self.group else self.target
        return f"{self.verb} {kind}{f' {self.name}' if self.name else ''}{where}"


def asked(method: str, path: str, query: Mapping[str, str] | None = None) -> Ask | None:
    """Return what a request asks for; None for a path that is no resource, such as ``/version``."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, rest = "", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    target = "/".join([rest[0], *rest[2:]])
    return Ask(_verb(method, name, query or {}), group, target, namespace, name)


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if query.get("watch", "").lower() in ("1", "true"):
            return "watch"
        return "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


def outside(found: Iterable[Ask], permitted: Sequence[Need]) -> list[Ask]:
    """Return what was asked for and is not permitted, each once, in the order it came."""
    return [ask for ask in dict.fromkeys(found) if not any(_covers(need, ask) for need in permitted)]


def _covers(need: Need, ask: Ask) -> bool:
    return (
        (need.group, need.target) == (ask.group, ask.target)
        and ask.verb in need.verbs
        and (not need.names or ask.name in need.names)
    )
