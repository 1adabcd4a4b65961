"""A batch is recorded whole or not at all, whatever kills the process, and recording it again changes nothing.

One SQLite file, one transaction a batch; each call opens the file anew, so a store may be used from any thread and any
number of processes, which wait for each other. An artifact that is recorded again with other contents is a conflict,
and so is a change of an execution that has ended. This module does not know what records mean.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs

from windlass.operators.errors import MetadataError
from windlass.operators.training.metadata.records import (
    FINAL_STATES,
    INPUTS,
    Artifact,
    Batch,
    Context,
    Event,
    Execution,
    Record,
)
from windlass.operators.training.metadata.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    PROPERTIES,
    decode_property,
    encode_property,
    faults,
)

__all__ = ("MetadataStore",)

_WAIT_SECONDS: Final = 60.0  # for another process's transaction; each takes milliseconds
_FAULTS_SHOWN_MAX: Final = 5
_AT_ONCE: Final = 500  # variables in one statement; SQLite's limit was 999 for long


class MetadataStore:
    """The records in the file at `path`, which is made by the first call. Every call blocks.

    Every method raises MetadataError: retryable when the file cannot be reached or written now, and not when it is no
    metadata store, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, batch: Batch) -> None:
        """Keep the batch. Raises MetadataError, MetadataInvalid or MetadataConflict, and keeps nothing of it."""
        found = list(faults(batch))
        if found:
            more = f"; and {len(found) - _FAULTS_SHOWN_MAX} more" if len(found) > _FAULTS_SHOWN_MAX else ""
            raise MetadataError("; ".join(found[:_FAULTS_SHOWN_MAX]) + more, reason="MetadataInvalid")
        with self._transaction() as db:
            records: tuple[Record, ...] = (*batch.artifacts, *batch.executions, *batch.contexts)
            for record in records:
                _put(db, record)
            for event in batch.events:
                _connect(db, event)
            for one in batch.associations:
                db.execute("INSERT OR IGNORE INTO associations VALUES (?, ?)", (one.context, one.member))

    def artifact(self, artifact_id: str) -> Artifact | None:
        """The artifact of this id."""
        return next(iter(self.artifacts(ids=(artifact_id,))), None)

    def artifacts(
        self, *, ids: Sequence[str] = (), type_: str | None = None, digest: str | None = None
    ) -> tuple[Artifact, ...]:
        """Those that fit everything that is asked for, ordered by id."""
        with self._reading() as db:
            wanted = (("id", ids or None), ("type", type_), ("digest", digest))
            rows = _select(db, "artifacts", wanted)
            properties = _properties(db, rows)
            return tuple(_artifact(row, properties[row["id"]]) for row in rows)

    def executions(self, *, ids: Sequence[str] = (), type_: str | None = None) -> tuple[Execution, ...]:
        """Those that fit everything that is asked for, ordered by id."""
        with self._reading() as db:
            rows = _select(db, "executions", (("id", ids or None), ("type", type_)))
            properties = _properties(db, rows)
            return tuple(_execution(row, properties[row["id"]]) for row in rows)

    def contexts(self, *, member: str | None = None) -> tuple[Context, ...]:
        """All, or those that this artifact or execution belongs to, ordered by id."""
        query = "SELECT * FROM contexts"
        if member is not None:
            query += " WHERE id IN (SELECT context FROM associations WHERE member = :member)"
        with self._reading() as db:
            rows = db.execute(f"{query} ORDER BY id", {"member": member}).fetchall()
            properties = _properties(db, rows)
            return tuple(Context(row["id"], row["type"], row["name"], properties[row["id"]]) for row in rows)

    def events(self, *, artifact: str | None = None, execution: str | None = None) -> tuple[Event, ...]:
        """Those of an artifact, of an execution, of both, or all; in a fixed order."""
        with self._reading() as db:
            rows = _select(
                db, "events", (("artifact", artifact), ("execution", execution)), "execution, artifact, type, path"
            )
            return tuple(Event(row["execution"], row["artifact"], row["type"], row["path"]) for row in rows)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection on which nothing changes until it is left; for queries of this room."""
        with self._reading() as db:
            yield db

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("BEGIN")
            yield db
            db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unreachable(error) from error
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = FULL")
            self._migrate(db)
            yield db
        except sqlite3.IntegrityError as error:
            message = f"{self._path}: an event or a context names a record that is not there ({error})"
            raise MetadataError(message, reason="MetadataInvalid") from error
        except sqlite3.DatabaseError as error:
            raise self._unreachable(error) from error
        finally:
            db.close()

    def _migrate(self, db: sqlite3.Connection) -> None:
        if self._version(db) == len(MIGRATIONS):
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            # Looked at again: another process may have been faster.
            for statements in MIGRATIONS[self._version(db) :]:
                for statement in statements:
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _version(self, db: sqlite3.Connection) -> int:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if application != APPLICATION_ID and (version or db.execute("SELECT 1 FROM sqlite_master").fetchone()):
            raise MetadataError(f"{self._path} is a database of something else", reason="MetadataCorrupt")
        if version > len(MIGRATIONS):
            raise MetadataError(
                f"{self._path} has version {version} of the schema, and this program knows {len(MIGRATIONS)} and older",
                reason="MetadataTooNew",
            )
        return version

    def _unreachable(self, error: Exception) -> MetadataError:
        # OperationalError is the disk, a lock or a folder; the plain DatabaseError is what the file holds.
        corrupt = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        reason = "MetadataCorrupt" if corrupt else "MetadataUnreachable"
        return MetadataError(f"{self._path} cannot be used: {error}", reason=reason)

    def __repr__(self) -> str:
        return f"<MetadataStore {self._path}>"


def _put(db: sqlite3.Connection, record: Record) -> None:
    table = {Artifact: "artifacts", Execution: "executions", Context: "contexts"}[type(record)]
    columns = [field.name for field in attrs.fields(type(record)) if field.name != "properties"]
    values = tuple(_text(getattr(record, name)) for name in columns)
    properties = sorted(
        (name, PROPERTIES[record.type][name], encode_property(value)) for name, value in record.properties.items()
    )
    there = db.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE id = ?", (record.id,)).fetchone()  # noqa: S608
    if there is not None:
        kept = db.execute("SELECT name, type, value FROM properties WHERE owner = ? ORDER BY name", (record.id,))
        if tuple(there) == values and [tuple(one) for one in kept] == properties:
            return
        if not isinstance(record, Execution) or there["state"] in FINAL_STATES or there["type"] != record.type:
            raise MetadataError(
                f"{record.type} {record.id} ({record.name}) is recorded already, with other contents",
                reason="MetadataConflict",
            )
        db.execute("DELETE FROM properties WHERE owner = ?", (record.id,))
    places = ", ".join("?" * len(values))
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
    db.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {updates}",  # noqa: S608
        values,
    )
    db.executemany("INSERT INTO properties VALUES (?, ?, ?, ?)", [(record.id, *one) for one in properties])


def _connect(db: sqlite3.Connection, event: Event) -> None:
    ends = (event.artifact, event.execution) if event.type in INPUTS else (event.execution, event.artifact)
    row = (event.execution, event.artifact, event.type, event.path, *ends)
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


def _select(
    db: sqlite3.Connection, table: str, wanted: Sequence[tuple[str, Any]], order: str = "id"
) -> list[sqlite3.Row]:
    """The rows whose columns have the wanted values; None is any, a sequence is one of these."""
    clauses, values = ["1"], []
    for column, value in wanted:
        if value is None:
            continue
        given = [value] if isinstance(value, str) else list(value)
        clauses.append(f"{column} IN ({', '.join('?' * len(given))})")
        values += given
    # Names of tables and columns are ours, from the calls above.
    return db.execute(f"SELECT * FROM {table} WHERE {' AND '.join(clauses)} ORDER BY {order}", values).fetchall()  # noqa: S608


def _artifact(row: sqlite3.Row, properties: Mapping[str, Any]) -> Artifact:
    created = _time(row["created_at"])
    return Artifact(row["id"], row["type"], row["name"], row["uri"], row["digest"], created, properties)


def _execution(row: sqlite3.Row, properties: Mapping[str, Any]) -> Execution:
    times = _time(row["started_at"]), _time(row["finished_at"])
    return Execution(row["id"], row["type"], row["name"], row["state"], *times, properties)


def _properties(db: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> dict[str, dict[str, Any]]:
    """The properties of each of these records, by its id."""
    found: dict[str, dict[str, Any]] = {row["id"]: {} for row in rows}
    owners = list(found)
    for first in range(0, len(owners), _AT_ONCE):
        part = owners[first : first + _AT_ONCE]
        for row in _select(db, "properties", (("owner", part),), "owner, name"):
            found[row["owner"]][row["name"]] = decode_property(row["value"])
    return found


def _text(value: str | datetime | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
