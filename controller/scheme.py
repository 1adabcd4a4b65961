"""Every kind that a controller uses is registered before anything runs, so no reconcile is the first to miss one (M10).

The built-in kinds are always known. The scheme knows addresses of kinds, nothing of their contents.
"""

from collections.abc import Iterable

from windlass.controller.errors import KindNotRegistered, ManagerError
from windlass.informers import builtins
from windlass.informers.resources import Kind, Resource, resource_of
from windlass.informers.typed import CustomResource

__all__ = ("Scheme",)

_BUILTIN: tuple[Resource, ...] = tuple(getattr(builtins, name) for name in builtins.__all__)


class Scheme:
    """The kinds of one manager: classes declared with `@kind`, and Resources of other people's kinds."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._by_name = {(resource.api_version, resource.kind): resource for resource in _BUILTIN}
        self._classes: dict[Resource, type[CustomResource]] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Register a kind; again is no change.

        Raises ManagerError when another Resource stands under that name already; UnregisteredKind if it is no kind.
        """
        resource = resource_of(kind)
        known = self._by_name.setdefault((resource.api_version, resource.kind), resource)
        if known != resource:
            raise ManagerError(
                f"{resource.api_version} {resource.kind} is registered twice, differently: {known!r} and {resource!r}"
            )
        if isinstance(kind, type):
            self._classes[resource] = kind

    def require(self, kind: Kind, *, used_by: str) -> Resource:
        """The resource of a registered kind.

        Raises KindNotRegistered, naming the kind and who uses it; UnregisteredKind if it is no kind at all.
        """
        resource = resource_of(kind)
        if self._by_name.get((resource.api_version, resource.kind)) != resource:
            name = kind.__qualname__ if isinstance(kind, type) else resource.kind
            raise KindNotRegistered(f"{name} ({resource})", used_by)
        return resource

    def named(self, api_version: str, kind: str) -> Resource:
        """The resource of an object's `apiVersion` and `kind`. Raises KindNotRegistered."""
        resource = self._by_name.get((api_version, kind))
        if resource is None:
            raise KindNotRegistered(f"{kind} ({api_version or 'no apiVersion'})", "a written object")
        return resource

    def class_of(self, resource: Resource) -> type[CustomResource] | None:
        """The class that was registered for a resource, None if it was the Resource alone."""
        return self._classes.get(resource)

    @property
    def classes(self) -> tuple[type[CustomResource], ...]:
        """The classes that were registered, in their order."""
        return tuple(self._classes.values())

    def __contains__(self, resource: object) -> bool:
        return resource in self._by_name.values()

    def __repr__(self) -> str:
        return f"<Scheme {len(self._by_name)} kinds>"
