"""One counter orders every write of the whole store, and a write is in the file before anybody hears of it.

Reads come from memory. With a database each write is one SQLite transaction, executed in line: in WAL mode with
`synchronous=NORMAL` a commit is a `write()` into the log without an fsync, some tens of microseconds. The page cache
belongs to the kernel, so a commit outlives `kill -9` of this process at any moment; only a power cut may lose the
last commits (never consistency), and that is not what a test server promises. Checkpoints, which do wait for the
disk, run in a thread of their own (`checkpoint`).

This module does not know kinds, schemas or clients. A key is (resource, namespace, name), `resource` being the plural
with its group as in `widgets.ex.dev`. Objects it holds are never changed in place.
"""

import bisect
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import attrs

from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.values import Json, decode, encode

__all__ = ("ADDED", "DELETED", "MODIFIED", "Change", "Database", "Key", "Store", "Stored", "versioned")

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
LOG_PAGES_MAX = 4_000  # of 4 KiB: the size of the write-ahead log at which a checkpoint is due


class Key(NamedTuple):
    """Where an object lives; `namespace` is empty for cluster-scoped kinds."""

    resource: str
    namespace: str
    name: str

    @property
    def place(self) -> str:
        """By what the objects of a resource are ordered: one text, as in etcd, so `a-b/x` comes before `a/x` (L-01)."""
        return f"{self.namespace}/{self.name}"


@attrs.frozen(eq=False)
class Stored:
    """One version of one object; `raw` is its JSON and begins with apiVersion and kind."""

    key: Key
    revision: int
    obj: Json
    raw: bytes

    @property
    def metadata(self) -> Json:
        """The object's metadata."""
        found: Json = self.obj["metadata"]
        return found


@attrs.frozen(eq=False)
class Change:
    """One write; `current` of a deletion is the last state under the deletion's revision (D-01, W-15)."""

    type: str
    current: Stored
    previous: Stored | None


class Store:
    """All objects, in memory and (with a database) in a file. Not for several threads."""

    def __init__(self, database: "Database | None" = None) -> None:
        self.revision = 1
        self.listeners: list[Callable[[Change], None]] = []
        self._database = database
        self._objects: dict[str, dict[str, Stored]] = {}
        self._order: dict[str, list[str]] = {}
        if database is not None:
            self.revision = max(1, database.revision())
            for stored in database.load():
                self._remember(stored)
        self.oldest = self.revision  # the history before this start is gone

    def __repr__(self) -> str:
        count = sum(len(objects) for objects in self._objects.values())
        return f"<Store objects={count} revision={self.revision}>"

    def get(self, key: Key) -> Stored | None:
        """The latest version, or None."""
        return self._objects.get(key.resource, {}).get(key.place)

    def items(self, resource: str, namespace: str = "", *, after: str | None = None) -> list[Stored]:
        """The objects of a resource (of one namespace if given) in the order of their keys, those behind `after`."""
        objects, order = self._objects.get(resource, {}), self._order.get(resource, [])
        low, high = 0, len(order)
        if namespace:
            # "0" follows "/"
            low, high = bisect.bisect_left(order, f"{namespace}/"), bisect.bisect_left(order, f"{namespace}0")
        if after is not None:
            low = max(low, bisect.bisect_right(order, after))
        return [objects[place] for place in order[low:high]]

    def resources(self) -> list[str]:
        """The resources that hold at least one object."""
        return [resource for resource, objects in self._objects.items() if objects]

    def put(self, key: Key, obj: Json) -> Stored:
        """Write an object, which now belongs to the store; its resourceVersion is set here."""
        previous = self.get(key)
        stored = versioned(key, obj, self.revision + 1)
        if self._database is not None:
            self._database.put(stored)
        self.revision = stored.revision
        self._remember(stored)
        self._announce(Change(ADDED if previous is None else MODIFIED, stored, previous))
        return stored

    def remove(self, key: Key, final: Json | None = None) -> Stored:
        """Remove an object, return its last state; `final` replaces that state, for an update that ends a deletion."""
        previous = self._objects[key.resource][key.place]
        stored = versioned(key, previous.obj if final is None else final, self.revision + 1)
        if self._database is not None:
            self._database.remove(key, stored.revision)
        self.revision = stored.revision
        del self._objects[key.resource][key.place]
        order = self._order[key.resource]
        del order[bisect.bisect_left(order, key.place)]
        self._announce(Change(DELETED, stored, previous))
        return stored

    def _remember(self, stored: Stored) -> None:
        objects = self._objects.setdefault(stored.key.resource, {})
        place = stored.key.place
        if place not in objects:
            bisect.insort(self._order.setdefault(stored.key.resource, []), place)
        objects[place] = stored

    def _announce(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)


def versioned(key: Key, obj: Json, revision: int) -> Stored:
    """The object under a revision, apiVersion and kind in front; `obj` is not changed."""
    metadata = obj["metadata"] | {"resourceVersion": str(revision)}
    ordered: Json = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    obj = ordered | {name: value for name, value in obj.items() if name not in ordered}
    return Stored(key, revision, obj, encode(obj))


class Database:
    """The file behind a store: one table of objects and one revision. One process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path.with_name(path.name + ".lock"))
        try:
            _keep_from_others(path)
            self._connection = _opened(path)
            self._connection.executescript(
                """
                CREATE TABLE IF NOT EXISTS objects (
                    resource TEXT, namespace TEXT, name TEXT, revision INTEGER, body BLOB,
                    PRIMARY KEY (resource, namespace, name)
                );
                CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER);
                INSERT OR IGNORE INTO counter VALUES (0, 1);
                """
            )
        except (OSError, sqlite3.DatabaseError) as error:
            self._lock.close()
            raise ServerError(f"the database {path} cannot be opened: {error}") from error

    def revision(self) -> int:
        """The revision of the last write."""
        return int(self._connection.execute("SELECT revision FROM counter").fetchone()[0])

    def load(self) -> Iterator[Stored]:
        """Every object."""
        rows = self._connection.execute("SELECT resource, namespace, name, revision, body FROM objects")
        for resource, namespace, name, revision, body in rows:
            yield Stored(Key(resource, namespace, name), revision, decode(body), body)

    def put(self, stored: Stored) -> None:
        """Commit one version."""
        with _transaction(self._connection) as connection:
            row = (*stored.key, stored.revision, stored.raw)
            connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", row)
            connection.execute("UPDATE counter SET revision = ?", (stored.revision,))

    def remove(self, key: Key, revision: int) -> None:
        """Commit one removal."""
        with _transaction(self._connection) as connection:
            connection.execute("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", key)
            connection.execute("UPDATE counter SET revision = ?", (revision,))

    def checkpoint(self) -> None:
        """Fold the log into the file; waits for the disk, so call it in a thread. Has a connection of its own."""
        connection = _opened(self.path)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    def checkpoint_due(self) -> bool:
        """Whether the log has grown enough."""
        try:
            return os.stat(f"{self.path}-wal").st_size > LOG_PAGES_MAX * 4096
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._connection.close()
        self._lock.close()


class _transaction:  # noqa: N801 - a context manager that reads as a verb
    """`with connection:` of sqlite3 does not begin a transaction; this does, at half the cost of a generator."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _keep_from_others(path: Path) -> None:
    """Secrets are in there. SQLite gives the log and its index the mode of the file that they belong to."""
    path.touch(mode=0o600)
    path.chmod(0o600)  # it may have been there before


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(
        "PRAGMA journal_size_limit=4194304"
    )  # bytes: a log that was folded in is cut, so it is not due again
    return connection


def _locked(path: Path) -> IO[bytes]:
    """A lock that dies with its holder, however that dies."""
    holder = path.open("ab")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder.close()
        raise ServerError(f"the database beside {path} is in use by another process") from error
    return holder
