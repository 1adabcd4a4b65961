"""What the collector does about one object is a function of it, its owners and its dependents. Pure.

Statements GC-01 … GC-07. `decide` is asked about an object whenever it, an owner or a dependent changed; it returns
what should be done about that object now, and asking again is always safe. Who remembers the dependents and performs
the actions is `housekeeping`.
"""

from collections.abc import Callable, Iterable

import attrs

from windlass.envtest.apiserver.objects import GC_FINALIZERS
from windlass.envtest.apiserver.store.storage import Key, Stored
from windlass.envtest.apiserver.values import Json

__all__ = ("Action", "Delete", "DropFinalizer", "DropOwners", "OwnerState", "decide", "owner_uids")

FOREGROUND, ORPHAN = GC_FINALIZERS["Foreground"], GC_FINALIZERS["Orphan"]


@attrs.frozen
class OwnerState:
    """What a reference leads to: `exists` with that very uid (None: the kind is unknown, so nobody can tell)."""

    exists: bool | None
    waiting: bool = False  # the owner is being deleted in the foreground


@attrs.frozen
class Delete:
    """Delete an object under a policy."""

    key: Key
    policy: str


@attrs.frozen
class DropOwners:
    """Take owner references out of an object."""

    key: Key
    uids: frozenset[str]


@attrs.frozen
class DropFinalizer:
    """Take a collector's finalizer from an owner whose dependents are done with."""

    key: Key
    finalizer: str


Action = Delete | DropOwners | DropFinalizer


def owner_uids(metadata: Json) -> set[str]:
    """The uids an object's owner references name."""
    return {reference["uid"] for reference in metadata.get("ownerReferences") or []}


def decide(
    stored: Stored, dependents: Iterable[Stored], owner_of: Callable[[Stored, Json], OwnerState]
) -> list[Action]:
    """The actions about one object: first as an owner that is being deleted, then as a dependent."""
    children = list(dependents)
    metadata, finalizers = stored.metadata, stored.metadata.get("finalizers") or []
    if metadata.get("deletionTimestamp"):
        if ORPHAN in finalizers:
            return _orphan(stored, children)
        if FOREGROUND in finalizers:
            return _foreground(stored, children)
        return []
    return _collect(stored, children, owner_of)


def _orphan(owner: Stored, children: list[Stored]) -> list[Action]:
    uid = frozenset({owner.metadata["uid"]})
    return [*(DropOwners(child.key, uid) for child in children), DropFinalizer(owner.key, ORPHAN)]


def _foreground(owner: Stored, children: list[Stored]) -> list[Action]:
    if not any(_blocks(child, owner.metadata["uid"]) for child in children):
        return [DropFinalizer(owner.key, FOREGROUND)]
    return []


def _blocks(child: Stored, uid: str) -> bool:
    references = child.metadata.get("ownerReferences") or []
    return any(reference["uid"] == uid and reference.get("blockOwnerDeletion") is True for reference in references)


def _collect(stored: Stored, children: list[Stored], owner_of: Callable[[Stored, Json], OwnerState]) -> list[Action]:
    references = stored.metadata.get("ownerReferences") or []
    states = [(reference["uid"], owner_of(stored, reference)) for reference in references]
    if not references or any(state.exists is None for _, state in states):
        return []
    waiting = frozenset(uid for uid, state in states if state.exists and state.waiting)
    absent = frozenset(uid for uid, state in states if not state.exists)
    if len(waiting) + len(absent) < len({uid for uid, _ in states}):  # some owner is solid (GC-02)
        return [DropOwners(stored.key, waiting | absent)] if waiting or absent else []
    if waiting and children:
        # A child that is being deleted in the foreground itself would wait for this one in a cycle (GC-04).
        cyclic = [child for child in children if child.metadata["uid"] in waiting]
        if not cyclic:
            return [Delete(stored.key, "Foreground")]
    return [Delete(stored.key, _own_policy(stored))]


def _own_policy(stored: Stored) -> str:
    """What the finalizers of the object itself ask for."""
    finalizers = stored.metadata.get("finalizers") or []
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"
