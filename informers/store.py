"""The store is one map with one writer and many readers; a reader never sees half of a replacement (R5, I1).

Readers hold a `Store`, which cannot change anything; the `StoreWriter` never leaves the informer. Every change of the
map returns the changes it amounts to, so what handlers are told is what happened.

This module does not know where objects come from or who is told.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import attrs

from windlass.informers.keys import Key
from windlass.informers.objects import Object

__all__ = ("Added", "Change", "Deleted", "IndexFunction", "Store", "StoreWriter", "Updated")

IndexFunction = Callable[[Object], Collection[str]]
"""The values under which an object is found; none is fine."""


@attrs.frozen
class Added:
    """A new object; `initial` when it was there before anybody looked (the first list, a handler that came late)."""

    object: Object
    initial: bool = False

    @property
    def key(self) -> Key:
        """The object's key."""
        return self.object.key


@attrs.frozen
class Updated:
    """The object's state changed. A different uid means that it was deleted and made again unseen (R8)."""

    old: Object
    new: Object

    @property
    def object(self) -> Object:
        """The new state."""
        return self.new

    @property
    def key(self) -> Key:
        """The object's key."""
        return self.new.key


@attrs.frozen
class Deleted:
    """The object is gone; without `final_state_known` that was not seen, and `object` is the last one known."""

    object: Object
    final_state_known: bool = True

    @property
    def key(self) -> Key:
        """The object's key."""
        return self.object.key


Change = Added | Updated | Deleted


class _Index:
    """The keys under each value of one index function; a value without keys is forgotten (I12)."""

    def __init__(self, function: IndexFunction) -> None:
        self._function = function
        self._keys: dict[str, dict[Key, None]] = {}

    def keys(self, value: str) -> Iterable[Key]:
        return self._keys.get(value, ())

    def values(self) -> Iterable[str]:
        return self._keys.keys()

    def move(self, old: Object | None, new: Object | None) -> None:
        left = set(self._function(old)) if old is not None else set()
        entered = set(self._function(new)) if new is not None else set()
        if old is not None:
            for value in left - entered:
                keys = self._keys[value]
                del keys[old.key]
                if not keys:
                    del self._keys[value]
        if new is not None:
            for value in entered - left:
                self._keys.setdefault(value, {})[new.key] = None


class Store:
    """What readers see. Every method answers at once, from memory; objects are immutable and shared."""

    def __init__(self) -> None:
        # Written by the StoreWriter alone, between two awaits.
        self._objects: dict[Key, Object] = {}
        self._indexes: dict[str, _Index] = {}
        self._bytes = 0

    def get(self, key: Key) -> Object | None:
        """The object, or None."""
        return self._objects.get(key)

    def keys(self) -> list[Key]:
        """All keys."""
        return list(self._objects)

    def by_index(self, index: str, value: str) -> list[Object]:
        """The objects that the index function gave `value` for. Raises KeyError for an index nobody added."""
        return [self._objects[key] for key in self._indexes[index].keys(value)]

    def index_values(self, index: str) -> list[str]:
        """The values under which the index holds anything."""
        return list(self._indexes[index].values())

    def add_index(self, index: str, function: IndexFunction) -> None:
        """Add an index, now or while running. Raises ValueError when the name is taken.

        The function must depend on nothing but the object.
        """
        if index in self._indexes:
            raise ValueError(f"the store has an index {index!r} already")
        fresh = _Index(function)
        for one in self._objects.values():
            fresh.move(None, one)
        self._indexes[index] = fresh

    def has_index(self, index: str) -> bool:
        """Whether there is an index of this name."""
        return index in self._indexes

    @property
    def bytes_held(self) -> int:
        """The sum of the objects' texts."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: Key) -> bool:
        return key in self._objects

    def __iter__(self) -> Iterator[Object]:
        return iter(self.list())

    def __repr__(self) -> str:
        return f"<Store objects={len(self)} bytes={self._bytes}>"

    def list(self, namespace: str | None = None) -> list[Object]:
        """All objects, or those of one namespace."""
        if namespace is None:
            return list(self._objects.values())
        return [one for key, one in self._objects.items() if key.namespace == namespace]


class StoreWriter:
    """The only way to change a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def put(self, new: Object) -> Change | None:
        """Take in a state; None when it is the one already held (R27)."""
        store = self.store
        old = store._objects.get(new.key)
        if old is not None and _is_same(old, new):
            return None
        self._set(old, new)
        return Added(new) if old is None else Updated(old, new)

    def remove(self, last: Object) -> Change | None:
        """Drop an object whose deletion was seen; None when it was not held (scenario 28)."""
        old = self.store._objects.get(last.key)
        if old is None:
            return None
        self._drop(old)
        return Deleted(last)

    def replace(self, objects: Mapping[Key, Object], *, initial: bool, namespace: str | None = None) -> list[Change]:
        """Make the store (or one namespace of it) hold exactly these, in one step.

        The changes: deletes with the last known object first, then updates and adds in the order given (R7).
        """
        mine = self.store._objects
        gone = [
            one for key, one in mine.items() if key not in objects and (namespace is None or key.namespace == namespace)
        ]
        changes: list[Change] = [Deleted(one, final_state_known=False) for one in gone]
        for one in gone:
            self._drop(one)
        for new in objects.values():
            old = mine.get(new.key)
            if old is None:
                self._set(None, new)
                changes.append(Added(new, initial))
            elif not _is_same(old, new):
                self._set(old, new)
                changes.append(Updated(old, new))
        return changes

    def _set(self, old: Object | None, new: Object) -> None:
        store = self.store
        store._objects[new.key] = new
        store._bytes += len(new.raw) - (len(old.raw) if old is not None else 0)
        for index in store._indexes.values():
            index.move(old, new)

    def _drop(self, old: Object) -> None:
        store = self.store
        del store._objects[old.key]
        store._bytes -= len(old.raw)
        for index in store._indexes.values():
            index.move(old, None)


def _is_same(old: Object, new: Object) -> bool:
    # Without a uid (metadata cut away by a transform, a server that sets none) only the bytes can tell.
    if new.uid and new.resource_version:
        return old.resource_version == new.resource_version and old.uid == new.uid
    return old.raw == new.raw
