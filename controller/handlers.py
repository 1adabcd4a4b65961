"""A handler answers one question: whose reconcile does this change call for? It returns keys and touches nothing.

An update is asked twice, of the old and of the new object, so that the owner that an object was taken from is woken as
well as the one it was given to (P6). Keys are returned once each. Handlers know neither queues nor priorities.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import attrs

from windlass.controller.predicates import DEFAULT, Predicate
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import Kind, Resource
from windlass.informers.store import Added, Change, Deleted, Updated

__all__ = ("Handler", "Watch", "map_objects", "map_owner", "map_self")

Handler: TypeAlias = Callable[[Change], Iterable[Key]]
"""From a change to the keys that it wakes."""


@attrs.frozen
class Watch:
    """Another kind whose changes wake this controller's keys.

    `handler` says which keys: `map_objects(function)` for a function of one object, or any Handler. `predicates` must
    all pass.
    """

    kind: Kind
    handler: Handler
    predicates: tuple[Predicate, ...] = attrs.field(default=(DEFAULT,), converter=tuple)


def map_self(change: Change) -> list[Key]:
    """The changed object's own key."""
    match change:
        case Added(object=obj) | Deleted(object=obj) | Updated(new=obj):
            return [obj.key]


def map_objects(function: Callable[[Object], Iterable[Key]]) -> Handler:
    """The keys that `function` names for the object; for an update for the old and the new one."""

    def handler(change: Change) -> list[Key]:
        return list(dict.fromkeys(key for obj in _objects(change) for key in function(obj)))

    return handler


def map_owner(
    owner: Resource, *, controller_only: bool = True, uid_of: Callable[[Key], str | None] = lambda _: None
) -> Handler:
    """The keys of the object's owners of the kind `owner`.

    Group and kind must match, the API version need not (P7). The owner's namespace is the object's, unless the owner
    kind is cluster-scoped (P9). `controller_only` leaves out owner references that do not say `controller: true`.

    `uid_of` tells the uid of the owner that the cache knows under a key. If it knows one and the reference carries
    another, the object belongs to an earlier owner of the same name, and its changes do not wake the present one (P8).
    """

    def keys_of(obj: Object) -> Iterable[Key]:
        for reference in obj.owner_references:
            if reference.kind != owner.kind or _group(reference.api_version) != owner.group:
                continue
            if controller_only and not reference.controller:
                continue
            key = Key(obj.namespace if owner.namespaced else "", reference.name)
            if uid_of(key) in (None, reference.uid):
                yield key

    return map_objects(keys_of)


def _objects(change: Change) -> tuple[Object, ...]:
    match change:
        case Added(object=obj) | Deleted(object=obj):
            return (obj,)
        case Updated(old=old, new=new):
            return (old, new)


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]
