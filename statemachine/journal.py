"""Every transition leaves one entry, and an entry says who moved what from where to where, on which version, and why.

A journal is bounded: the oldest entries go first, and it is said how many went. Entries are plain JSON (`to_json`,
`from_json`), one a line in a file and one an item in a status, under the same names. This module does not know where a
journal is kept, or what time it is.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from windlass.statemachine.errors import JournalError

__all__ = ("Entry", "Journal", "digest", "from_json", "lives", "moment", "to_json")


@attrs.frozen(kw_only=True)
class Entry:
    """One transition.

    `cause` is the table's event; `writer` who wrote it and `trace_id` under which run or request. The versions are
    the object's resource versions that the decision was made on and that the write made; the latter is empty where it
    cannot be known, as in a journal that is part of the status written. `digest` is that of the snapshot decided on.
    `subject` and `uid` are empty in a journal that lies in the object itself. A greater `generation` begins a new life.
    """

    at: datetime
    source: str
    target: str
    cause: str = ""
    trace_id: str = ""
    writer: str = ""
    version_before: str = ""
    version_after: str = ""
    digest: str = ""
    generation: int = 0
    subject: str = ""
    uid: str = ""


@attrs.frozen
class Journal:
    """The last `limit` entries; `dropped` came before them."""

    limit: int
    entries: tuple[Entry, ...] = ()
    dropped: int = 0

    def add(self, entry: Entry) -> "Journal":
        """The journal with the entry at its end, without its oldest if it was full."""
        kept = (*self.entries, entry)
        excess = max(0, len(kept) - self.limit)
        return attrs.evolve(self, entries=kept[excess:], dropped=self.dropped + excess)


_NAMES: Final = {
    "at": "at",
    "source": "source",
    "target": "target",
    "cause": "cause",
    "traceId": "trace_id",
    "writer": "writer",
    "versionBefore": "version_before",
    "versionAfter": "version_after",
    "digest": "digest",
    "generation": "generation",
    "subject": "subject",
    "uid": "uid",
}


def to_json(entry: Entry) -> dict[str, Any]:
    """The entry as JSON has it, without what is empty."""
    values = {name: getattr(entry, attribute) for name, attribute in _NAMES.items()}
    values["at"] = entry.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {name: value for name, value in values.items() if value or name in ("source", "target")}


def from_json(found: Mapping[str, Any]) -> Entry:
    """The entry that JSON describes; what it does not know it leaves out.

    Raises JournalError for what is no object, and for a field that is missing or of the wrong type.
    """
    if not isinstance(found, Mapping):
        raise JournalError(f"expected an object, found {found!r}")
    values: dict[str, Any] = {}
    for name, attribute in _NAMES.items():
        expected = int if name == "generation" else str
        value = found.get(name)
        if value is None and name not in ("at", "source", "target"):
            continue
        if not isinstance(value, expected) or isinstance(value, bool):
            kind = "an integer" if expected is int else "a string"
            raise JournalError(f"{name}: expected {kind}, found {'nothing' if value is None else repr(value)}")
        values[attribute] = moment(str(value)) if name == "at" else value
    return Entry(**values)


def moment(text: str) -> datetime:
    """The time that an RFC 3339 text names. Raises JournalError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise JournalError(f"at: expected a time such as 2026-08-01T12:00:00Z, found {text!r}") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def digest(snapshot: object) -> str:
    """`sha256:` and 64 hexadecimal digits: the same for equal JSON values, however their fields are ordered."""
    text = json.dumps(snapshot, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def lives(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """The entries of each object (subject and uid), in the order in which they were written down."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.subject, entry.uid), []).append(entry)
    return found
