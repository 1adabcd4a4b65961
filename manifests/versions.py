"""The versions of one kind are a tree: a function leads from each class to the next and back, so any two are connected.

The root is the version that is stored. ``Versions(Database).also(DatabaseV1, up=…, down=…)`` is a new value; nothing is
registered anywhere. A conversion keeps the object's metadata: a function may pass it on, leave it out, or change labels
and annotations, as one does that puts aside there what the other version has no field for.

This module does not know definitions, requests or servers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

import attrs

from windlass.informers.typed import CustomResource, ObjectMeta, structure, unstructure
from windlass.manifests.errors import InvalidKind
from windlass.manifests.kinds import info_of

__all__ = ("Link", "Versions")

_CHANGEABLE: Final = ("labels", "annotations")
T = TypeVar("T", bound=CustomResource)
S = TypeVar("S", bound=CustomResource)
N = TypeVar("N", bound=CustomResource)


@attrs.frozen
class Link:
    """How objects of ``cls`` become objects of ``towards``, a version nearer to the root, and back."""

    cls: type[CustomResource]
    towards: type[CustomResource]
    up: Callable[[Any], Any]
    down: Callable[[Any], Any]


@attrs.frozen
class Versions(Generic[T]):
    """A kind in one version, that is stored, and any number of others that are served beside it.

    Raises ``InvalidKind`` for a class that is no registered kind.
    """

    stored: type[T]
    links: tuple[Link, ...] = ()

    def __attrs_post_init__(self) -> None:
        info_of(self.stored)

    @property
    def classes(self) -> tuple[type[CustomResource], ...]:
        """The class of each version, the stored one first."""
        return (self.stored, *(link.cls for link in self.links))

    def also(self, cls: type[S], *, up: Callable[[S], T], down: Callable[[T], S]) -> "Versions[T]":
        """The same kind with one more version, which ``up`` turns into the stored one and ``down`` back.

        Raises ``InvalidKind`` if the class is not another version of the same kind.
        """
        return self.beyond(cls, self.stored, up=up, down=down)

    def beyond(self, cls: type[S], towards: type[N], *, up: Callable[[S], N], down: Callable[[N], S]) -> "Versions[T]":
        """The same kind with one more version, connected to ``towards`` instead of the stored one.

        So an old version needs no function of its own for each newer one: its objects go step by step.
        """
        _check_same_kind(self.stored, cls)
        if towards not in self.classes:
            raise InvalidKind(
                cls.__name__,
                rule="a conversion leads to a version that is there (R-09)",
                found=f"one towards {towards.__name__}",
                expected=f"one out of {', '.join(each.__name__ for each in self.classes)}",
            )
        version = info_of(cls).resource.version
        if any(info_of(each).resource.version == version for each in self.classes):
            raise InvalidKind(
                cls.__name__,
                rule="a version has one class (R-02)",
                found=f"{version!r} again",
                expected="another version",
            )
        return attrs.evolve(self, links=(*self.links, Link(cls, towards, up, down)))

    def named(self, api_version: str) -> type[CustomResource]:
        """The class of ``group/version``. Raises KeyError if there is none."""
        for cls in self.classes:
            if info_of(cls).resource.api_version == api_version:
                return cls
        raise KeyError(f"{api_version} is none of the versions of {info_of(self.stored).resource.kind}")

    def path(self, source: type[CustomResource], target: type[CustomResource]) -> list[Callable[[Any], Any]]:
        """The functions that lead from one class to the other, in order; none where both are the same."""
        ups, downs = self._ascent(source), self._ascent(target)
        while ups and downs and ups[-1] is downs[-1]:  # the way up to the root and down again that both share
            ups.pop()
            downs.pop()
        return [link.up for link in ups] + [link.down for link in reversed(downs)]

    def convert(self, value: CustomResource, target: type[S]) -> S:
        """The object in another version. Raises what the functions raise."""
        result: Any = value
        for step in self.path(type(value), target):
            made = step(result)
            result = attrs.evolve(made, metadata=_metadata(result.metadata, made.metadata))
        return cast("S", result)

    def convert_object(self, body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
        """The JSON object in another version; its metadata stays exactly as it is.

        Raises StructureError for a body that is not of its class, KeyError for a version that is not there, and what
        the functions raise.
        """
        source, target = self.named(str(body.get("apiVersion"))), self.named(api_version)
        if source is target:
            return dict(body)
        written = unstructure(self.convert(structure(body, source), target))
        # What ObjectMeta does not know stays; labels and annotations alone may change.
        metadata = {name: each for name, each in body.get("metadata", {}).items() if name not in _CHANGEABLE}
        changeable = {name: each for name, each in written.get("metadata", {}).items() if name in _CHANGEABLE}
        return {**written, "metadata": {**metadata, **changeable}}

    def _ascent(self, cls: type[CustomResource]) -> list[Link]:
        """The links from a class up to the root."""
        links = {link.cls: link for link in self.links}
        way: list[Link] = []
        while cls is not self.stored:
            if cls not in links:
                raise KeyError(f"{cls.__name__} is none of {', '.join(each.__name__ for each in self.classes)}")
            way.append(links[cls])
            cls = links[cls].towards
        return way


def _metadata(before: ObjectMeta, made: ObjectMeta) -> ObjectMeta:
    """What a function left out is as it was; what it made of labels and annotations counts."""
    if made == ObjectMeta():
        return before
    return attrs.evolve(before, labels=made.labels, annotations=made.annotations)


def _check_same_kind(stored: type[CustomResource], cls: type[CustomResource]) -> None:
    one, other = info_of(stored), info_of(cls)
    names = (
        ("group", one.resource.group, other.resource.group),
        ("kind", one.resource.kind, other.resource.kind),
        ("plural", one.resource.plural, other.resource.plural),
        ("singular", one.singular, other.singular),
        ("scope", one.scope, other.scope),
        ("short names", one.short_names, other.short_names),
        ("categories", one.categories, other.categories),
    )
    for what, wanted, found in names:
        if wanted != found:
            raise InvalidKind(
                cls.__name__,
                rule=f"all versions of a kind have the same {what} (R-02)",
                found=repr(found),
                expected=f"{wanted!r}, as {stored.__name__} has it",
            )
