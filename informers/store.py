"""The store is one map with one writer and many readers; a reader never sees half of a replacement (R5, I1).

Readers hold a `Store`, which cannot change anything; the `StoreWriter` never leaves the informer. Every change of the
map returns the changes it amounts to, so what handlers are told is what happened.

This module does not know where objects come from or who is told.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from windlass.informers.keys import Key
from windlass.informers.objects import Object

__all__ = ("Added", "Change", "Deleted", "IndexFunction", "Replacement", "Store", "StoreWriter", "Updated")

IndexFunction = Callable[[Object], Collection[str]]
"""The values under which an object is found; none is fine."""


class Added(msgspec.Struct, frozen=True, gc=False):
    """A new object; `initial` when it was there before anybody looked (the first list, a handler that came late)."""

    object: Object
    initial: bool = False

    @property
    def key(self) -> Key:
        """The object's key."""
        return self.object.key


class Updated(msgspec.Struct, frozen=True, gc=False):
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


class Deleted(msgspec.Struct, frozen=True, gc=False):
    """The object is gone; without `final_state_known` that was not seen, and `object` is the last one known."""

    object: Object
    final_state_known: bool = True

    @property
    def key(self) -> Key:
        """The object's key."""
        return self.object.key


Change = Added | Updated | Deleted
"""What a handler is told."""


class _Index:
    """The keys under each value of one index function; a value without keys is forgotten (I12)."""

    def __init__(self, function: IndexFunction) -> None:
        self.function = function
        self._keys: dict[str, dict[Key, None]] = {}

    def keys(self, value: str) -> Iterable[Key]:
        return self._keys.get(value, ())

    def values(self) -> Iterable[str]:
        return self._keys.keys()

    def move(self, old: Object | None, new: Object | None) -> None:
        left = set(self.function(old)) if old is not None else set()
        entered = set(self.function(new)) if new is not None else set()
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
        self._version = 0  # counts writes, of indexes too

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
        self._version += 1

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

    def replacement(self, objects: dict[Key, Object], *, namespace: str | None = None) -> "Replacement":
        """A new content for the store, or for one namespace of it; nothing changes before its `swap`."""
        return Replacement(self.store, objects, namespace)

    def replace(
        self, objects: dict[Key, Object], *, initial: bool = False, namespace: str | None = None
    ) -> Iterator[Change]:
        """Make the store (or one namespace) hold exactly these, now; the changes are worked out as they are read."""
        changes = self.replacement(objects, namespace=namespace).swap(initial=initial)
        return (change for change in changes if change is not None)

    def _set(self, old: Object | None, new: Object) -> None:
        store = self.store
        store._version += 1
        store._objects[new.key] = new
        store._bytes += len(new.raw) - (len(old.raw) if old is not None else 0)
        for index in store._indexes.values():
            index.move(old, new)

    def _drop(self, old: Object) -> None:
        store = self.store
        store._version += 1
        del store._objects[old.key]
        store._bytes -= len(old.raw)
        for index in store._indexes.values():
            index.move(old, None)


class Replacement:
    """The whole new content of a store: made ready a little at a time, swapped in at once (R5).

    A state that the store has already is kept as it is held, so that a list of what is known costs nothing to keep.
    """

    def __init__(self, store: Store, objects: dict[Key, Object], namespace: str | None) -> None:
        self._store = store
        self._listed = objects
        self._namespace = namespace
        self._objects: dict[Key, Object] = {}
        self._indexes: dict[str, _Index] = {}
        self._bytes = 0
        self._basis = -1

    def prepare(self) -> Iterator[None]:
        """Work that can be done before the swap; yields after each object, so that the caller may let others run."""
        store = self._store
        self._basis = store._version
        self._bytes = 0
        self._indexes = {name: _Index(index.function) for name, index in store._indexes.items()}
        self._objects = {}
        # Others may write while this rests; then it is done again, and until then it must not be disturbed.
        for key, one in store._objects.copy().items() if self._namespace is not None else ():
            if key.namespace != self._namespace:
                self._keep(key, one)
            yield
        for key, one in self._listed.items():
            old = store._objects.get(key)
            if old is not None and _is_same(old, one):
                self._listed[key] = old  # the key is there, so this does not disturb the iteration
            self._keep(key, self._listed[key])
            yield

    def _keep(self, key: Key, one: Object) -> None:
        self._objects[key] = one
        self._bytes += len(one.raw)
        for index in self._indexes.values():
            index.move(None, one)

    def swap(self, *, initial: bool) -> Iterator[Change | None]:
        """Put it in place. The changes come lazily, deletes with the last known object first (R7).

        None comes for each object that is looked at and is the same, so that the caller may let others run.
        """
        store = self._store
        if self._basis != store._version:  # not prepared, or another namespace or an index has come in between
            for _ in self.prepare():
                pass
        before = store._objects
        store._objects, store._indexes, store._bytes = self._objects, self._indexes, self._bytes
        store._version += 1
        return self._differences(before, initial=initial)

    def _differences(self, before: dict[Key, Object], *, initial: bool) -> Iterator[Change | None]:
        listed, namespace = self._listed, self._namespace
        for key, last in before.items():
            gone = key not in listed and (namespace is None or key.namespace == namespace)
            yield Deleted(last, final_state_known=False) if gone else None
        for key, new in listed.items():
            old = before.pop(key, None)  # nobody else has this map, and to free all old states at once takes long
            if old is None:
                yield Added(new, initial)
            else:
                yield Updated(old, new) if old is not new else None


def _is_same(old: Object, new: Object) -> bool:
    # Without a uid (metadata cut away by a transform, a server that sets none) only the bytes can tell.
    if new.uid and new.resource_version:
        return old.resource_version == new.resource_version and old.uid == new.uid
    return old.raw == new.raw
