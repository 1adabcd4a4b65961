"""What may be recorded is written down here: types, their properties with their own types, and how large anything is.

Whatever is not written down is refused before the store is touched. The tables are those of version `len(MIGRATIONS)`;
a migration is never changed, only followed by another. This module does not know how records are read.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from windlass.operators.training.metadata.records import Artifact, Batch, Context, Event, Execution, Record

__all__ = (
    "APPLICATION_ID",
    "BATCH_MAX",
    "MIGRATIONS",
    "PROPERTIES",
    "STRUCT_BYTES_MAX",
    "TEXT_LENGTH_MAX",
    "PropertyType",
    "decode_property",
    "encode_property",
    "faults",
)

PropertyType = Literal["string", "int", "double", "bool", "struct"]

APPLICATION_ID: Final = 0x574C4D44  # "WLMD": SQLite keeps it in the file's header, where `file` and we look
TEXT_LENGTH_MAX: Final = 16_384  # characters of a name, a URI or a text
STRUCT_BYTES_MAX: Final = 262_144  # of a struct as JSON
BATCH_MAX: Final = 10_000  # records, events and associations

PROPERTIES: Final[Mapping[str, Mapping[str, PropertyType]]] = {
    # Artifacts.
    "Dataset": {"tableId": "string", "version": "int", "rows": "int", "files": "int", "license": "string"},
    "Model": {
        "version": "int",
        "format": "string",
        "classes": "struct",
        "license": "string",
        "limitations": "string",
        "contact": "string",
        "description": "string",
    },
    "Metrics": {"values": "struct", "curve": "struct", "confusion": "struct", "rows": "int", "split": "string"},
    "Evidence": {"check": "string", "outcome": "string", "document": "struct"},
    "Card": {"model": "string"},
    # Executions.
    "Train": {
        "runId": "string",
        "attempt": "int",
        "executor": "string",
        "seed": "int",
        "hyperparameters": "struct",
        "hardware": "string",
        "image": "string",
        "commit": "string",
        "seconds": "double",
        "energyJoules": "double",
        "resumedFromStep": "int",
    },
    "Evaluate": {"runId": "string", "holdout": "double"},
    "Gate": {"passed": "bool", "reason": "string", "message": "string", "checks": "struct"},
    "Deploy": {"endpoint": "string", "weight": "int"},
    # Contexts.
    "Experiment": {"namespace": "string", "job": "string", "uid": "string"},
    "Run": {"runId": "string"},
}

_KIND_OF: Final[Mapping[type, frozenset[str]]] = {
    Artifact: frozenset({"Dataset", "Model", "Metrics", "Evidence", "Card"}),
    Execution: frozenset({"Train", "Evaluate", "Gate", "Deploy"}),
    Context: frozenset({"Experiment", "Run"}),
}
_STATES: Final = ("NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED")
_EVENTS: Final = ("INPUT", "OUTPUT", "DECLARED_INPUT", "DECLARED_OUTPUT")

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        (
            "CREATE TABLE artifacts (id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, uri TEXT NOT NULL,"
            " digest TEXT NOT NULL, created_at TEXT) WITHOUT ROWID"
        ),
        "CREATE INDEX artifacts_by_digest ON artifacts (type, digest)",
        (
            "CREATE TABLE executions (id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,"
            " started_at TEXT, finished_at TEXT) WITHOUT ROWID"
        ),
        "CREATE TABLE contexts (id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL) WITHOUT ROWID",
        (
            "CREATE TABLE properties (owner TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,"
            " PRIMARY KEY (owner, name)) WITHOUT ROWID"
        ),
        # source and target say the same as type: facts flow from the one to the other.
        (
            "CREATE TABLE events (execution TEXT NOT NULL REFERENCES executions (id),"
            " artifact TEXT NOT NULL REFERENCES artifacts (id), type TEXT NOT NULL, path TEXT NOT NULL,"
            " source TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (execution, artifact, type, path)) WITHOUT ROWID"
        ),
        "CREATE INDEX events_by_source ON events (source)",
        "CREATE INDEX events_by_target ON events (target)",
        (
            "CREATE TABLE associations (context TEXT NOT NULL REFERENCES contexts (id), member TEXT NOT NULL,"
            " PRIMARY KEY (context, member)) WITHOUT ROWID"
        ),
        "CREATE INDEX associations_by_member ON associations (member)",
    ),
)


def faults(batch: Batch) -> Iterator[str]:
    """What is wrong with a batch, one sentence each; nothing if it may be recorded."""
    records: tuple[Record, ...] = (*batch.artifacts, *batch.executions, *batch.contexts)
    size = len(records) + len(batch.events) + len(batch.associations)
    if size > BATCH_MAX:
        yield f"expected at most {BATCH_MAX} records in one batch, found {size}"
        return
    for record in records:
        yield from _record_faults(record)
    for event in batch.events:
        yield from _event_faults(event)


def encode_property(value: Any) -> str:
    """The text that is kept for a value; equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def decode_property(text: str) -> Any:
    """The value that a text was kept for."""
    return json.loads(text)


def _record_faults(record: Record) -> Iterator[str]:
    where = f"{record.type} {record.id}"
    if record.type not in _KIND_OF[type(record)]:
        known = ", ".join(sorted(_KIND_OF[type(record)]))
        yield f"{where}: expected a type of {type(record).__name__}, one of {known}, found {record.type!r}"
        return
    for name in ("id", "name", "uri", "digest"):
        text = getattr(record, name, "")
        if not isinstance(text, str) or len(text) > TEXT_LENGTH_MAX or (name in ("id", "name") and not text):
            yield f"{where}: {name}: expected a text of at most {TEXT_LENGTH_MAX} characters, found {_shown(text)}"
        elif not _is_utf8(text):
            yield f"{where}: {name}: expected text that has an encoding, found {_shown(text)}"
    if isinstance(record, Execution) and record.state not in _STATES:
        yield f"{where}: state: expected one of {', '.join(_STATES)}, found {record.state!r}"
    known_properties = PROPERTIES[record.type]
    for name, value in record.properties.items():
        if name not in known_properties:
            yield f"{where}: properties.{name}: unknown; a {record.type} has {', '.join(known_properties)}"
        elif (expected := _value_fault(known_properties[name], value)) is not None:
            yield f"{where}: properties.{name}: expected {expected}, found {_shown(value)}"


def _event_faults(event: Event) -> Iterator[str]:
    if event.type not in _EVENTS:
        yield f"event of {event.execution}: type: expected one of {', '.join(_EVENTS)}, found {event.type!r}"
    if len(event.path) > TEXT_LENGTH_MAX:
        yield f"event of {event.execution}: path: expected at most {TEXT_LENGTH_MAX} characters"


def _value_fault(kind: PropertyType, value: Any) -> str | None:
    """What was expected; None if the value is that."""
    match kind:
        case "string":
            fits = isinstance(value, str) and len(value) <= TEXT_LENGTH_MAX and _is_utf8(value)
            return None if fits else f"a text of at most {TEXT_LENGTH_MAX} characters"
        case "int":
            whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
            return None if whole else "a whole number of 64 bits"
        case "double":
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            return None if number else "a finite number"
        case "bool":
            return None if isinstance(value, bool) else "true or false"
        case "struct":
            return None if _is_struct(value) else f"a JSON object or array of at most {STRUCT_BYTES_MAX} bytes"


def _is_struct(value: Any) -> bool:
    if not isinstance(value, dict | list | tuple):
        return False
    try:
        return len(encode_property(value).encode()) <= STRUCT_BYTES_MAX
    except (TypeError, ValueError, RecursionError):
        return False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
