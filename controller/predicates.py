"""A predicate says of a change: worth a reconcile, not worth one, or "I have no opinion of this kind of change".

The third answer is what keeps combinations honest. A predicate about updates (generation changed, labels changed, …)
has no opinion of an object that appears or goes. `&`, `|` and `~` ignore those without an opinion, and when nobody has
one the change passes. So `~generation_changed` does not block creates and deletes, and a selector or-ed with
`labels_changed` is not drowned by it on every create (both happen in controller-runtime, P4).

Two more rules hold for every predicate here, because a change that is filtered out is gone for good:

- An object that was deleted and recreated while nobody looked arrives as one update with another uid (R8). It is a
  different object: every predicate about updates passes it (P5).
- Kinds without a generation (ConfigMap, Secret, …) are edited all the same: for them `generation_changed` compares what
  a generation would count, everything outside metadata and status (P3).

Predicates filter what wakes a key. They never filter what the cache holds.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs
import msgspec

from windlass.informers.objects import Object
from windlass.informers.store import Added, Change, Deleted, Updated

__all__ = (
    "DEFAULT",
    "Opinion",
    "Predicate",
    "annotations_changed",
    "deletion_changed",
    "finalizers_changed",
    "function",
    "generation_changed",
    "labels_changed",
    "on",
    "owners_changed",
    "resource_version_changed",
    "resynced",
    "selector",
    "status_changed",
)

Opinion: TypeAlias = bool | None
"""True: wakes the key. False: does not. None: no opinion."""


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@attrs.frozen(repr=False)
class Predicate:
    """A named question about a change. Call it for the verdict; combine with `&`, `|`, `~`."""

    name: str
    opinion: Callable[[Change], Opinion]
    # What `|` has put together, so that the question stays one call deep however many there are.
    _alternatives: tuple[Callable[[Change], Opinion], ...] = attrs.field(default=(), eq=False)

    def __call__(self, change: Change) -> bool:
        """Whether the change should wake the key: no opinion passes."""
        return self.opinion(change) is not False

    def __and__(self, other: "Predicate") -> "Predicate":
        """False if either says so; no opinion only if neither has one."""
        return Predicate(f"({self.name} & {other.name})", _and(self.opinion, other.opinion))

    def __or__(self, other: "Predicate") -> "Predicate":
        """True if either says so; no opinion only if neither has one."""
        alternatives = (*(self._alternatives or (self.opinion,)), *(other._alternatives or (other.opinion,)))
        return Predicate(f"({self.name} | {other.name})", _any(alternatives), alternatives)

    def __invert__(self) -> "Predicate":
        """The opposite opinion; no opinion stays none."""
        return Predicate(f"~{self.name}", _not(self.opinion))

    def __repr__(self) -> str:
        return f"<Predicate {self.name}>"


def function(test: Callable[[Object], bool], *, name: str = "function") -> Predicate:
    """Wakes for objects of which `test` is true; for an update, of the old or the new one.

    The old one counts so that an object which stops fitting wakes the key once more, to be cleaned up after (I15).
    """

    def opinion(change: Change) -> Opinion:
        match change:
            case Added(object=obj) | Deleted(object=obj):
                return test(obj)
            case Updated(old=old, new=new):
                return test(new) or test(old)

    return Predicate(name, opinion)


def selector(labels: Mapping[str, str | None]) -> Predicate:
    """Wakes for objects that carry these labels (None: the label with any value), and when an object stops to."""
    wanted = dict(labels)

    def matches(obj: Object) -> bool:
        carried = obj.labels
        return all(key in carried and value in (None, carried[key]) for key, value in wanted.items())

    written = ",".join(key if value is None else f"{key}={value}" for key, value in wanted.items())
    return function(matches, name=f"selector({written})")


def on(
    *,
    added: Callable[[Added], Opinion] | None = None,
    updated: Callable[[Updated], Opinion] | None = None,
    deleted: Callable[[Deleted], Opinion] | None = None,
    name: str = "on",
) -> Predicate:
    """A predicate from one function for each kind of change; what is left out has no opinion."""

    def opinion(change: Change) -> Opinion:
        match change:
            case Added():
                return None if added is None else added(change)
            case Updated():
                return None if updated is None else updated(change)
            case Deleted():
                return None if deleted is None else deleted(change)

    return Predicate(name, opinion)


def _about_updates(name: str, differs: Callable[[Object, Object], bool]) -> Predicate:
    def opinion(change: Change) -> Opinion:
        if not isinstance(change, Updated):
            return None
        return change.old.uid != change.new.uid or differs(change.old, change.new)

    return Predicate(name, opinion)


def _edited(old: Object, new: Object) -> bool:
    if old.generation or new.generation:
        return old.generation != new.generation
    return old.deletion != new.deletion or _content(old) != _content(new)


def _content(obj: Object) -> dict[str, bytes]:
    fields = _FIELDS.decode(obj.raw)
    return {name: bytes(value) for name, value in fields.items() if name not in ("metadata", "status")}


def _and(left: Callable[[Change], Opinion], right: Callable[[Change], Opinion]) -> Callable[[Change], Opinion]:
    def opinion(change: Change) -> Opinion:
        mine = left(change)
        if mine is False:
            return False
        theirs = right(change)
        return mine if theirs is None else theirs

    return opinion


def _any(alternatives: tuple[Callable[[Change], Opinion], ...]) -> Callable[[Change], Opinion]:
    def opinion(change: Change) -> Opinion:
        found: Opinion = None
        for alternative in alternatives:
            one = alternative(change)
            if one:
                return True
            if one is False:
                found = False
        return found

    return opinion


def _not(inner: Callable[[Change], Opinion]) -> Callable[[Change], Opinion]:
    def opinion(change: Change) -> Opinion:
        mine = inner(change)
        return None if mine is None else not mine

    return opinion


generation_changed = _about_updates("generation_changed", _edited)
"""The spec was edited, or deletion began (the server raises the generation for both, P2). Hides status changes: combine
it with `status_changed` when the reconciler looks at status."""

status_changed = _about_updates("status_changed", lambda old, new: old.status != new.status)
"""The bytes of `.status` differ."""

labels_changed = _about_updates("labels_changed", lambda old, new: old.labels != new.labels)
"""The labels differ; none and empty are equal."""

annotations_changed = _about_updates("annotations_changed", lambda old, new: old.annotations != new.annotations)
"""The annotations differ; none and empty are equal."""

finalizers_changed = _about_updates("finalizers_changed", lambda old, new: old.finalizers != new.finalizers)
"""The list of finalizers differs."""

owners_changed = _about_updates("owners_changed", lambda old, new: old.owner_references != new.owner_references)
"""The list of owner references differs: an adoption, a release."""

deletion_changed = _about_updates("deletion_changed", lambda old, new: old.deletion != new.deletion)
"""Deletion has begun."""

resource_version_changed = _about_updates(
    "resource_version_changed", lambda old, new: old.resource_version != new.resource_version
)
"""Anything at all was written; only a resync is hidden."""

resynced = _about_updates("resynced", lambda old, new: old.resource_version == new.resource_version)
"""The cache replayed an object that has not changed (I10)."""

DEFAULT: Predicate = attrs.evolve(
    generation_changed
    | status_changed
    | labels_changed
    | annotations_changed
    | finalizers_changed
    | owners_changed
    | deletion_changed
    | resynced,
    name="default",
)
"""What wakes a controller unless its author says otherwise: all but bookkeeping that no reconciler can see, such as an
update of managedFields alone. Status-only changes pass. That costs no loop: a reconciler's own status write wakes it
once more, that run finds nothing to change, and an unchanged status is not written (F8). Filtering them by generation,
as is common, loses the status changes that others make (P2)."""
