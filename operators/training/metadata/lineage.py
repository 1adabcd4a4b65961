"""What something was made of, and what was made of it: everything that events lead to, in one direction, once each.

A cycle, which recorded facts cannot have but a file can, ends the search instead of the program. This module does not
know what the records mean.
"""

from typing import Final

import attrs

from windlass.operators.errors import MetadataError
from windlass.operators.training.metadata.records import Artifact, Event, Execution
from windlass.operators.training.metadata.store import MetadataStore

__all__ = ("LINEAGE_MAX", "Lineage", "downstream", "upstream")

LINEAGE_MAX: Final = 100_000
_AT_ONCE: Final = 500  # variables in one statement; SQLite's limit was 999 for long

_UPSTREAM: Final = """
WITH RECURSIVE seen (id) AS (VALUES (?) UNION SELECT source FROM events JOIN seen ON target = seen.id LIMIT ?)
SELECT id FROM seen"""
_DOWNSTREAM: Final = """
WITH RECURSIVE seen (id) AS (VALUES (?) UNION SELECT target FROM events JOIN seen ON source = seen.id LIMIT ?)
SELECT id FROM seen"""


@attrs.frozen
class Lineage:
    """What was found, each ordered by id, without the one that was asked about."""

    artifacts: tuple[Artifact, ...]
    executions: tuple[Execution, ...]
    events: tuple[Event, ...]

    def of_type(self, type_: str) -> tuple[Artifact, ...]:
        """The artifacts of a type."""
        return tuple(one for one in self.artifacts if one.type == type_)


def upstream(store: MetadataStore, record: str) -> Lineage:
    """Everything that the artifact or execution `record` was made of, as far back as is known. Blocks.

    Raises MetadataError when there is more than `LINEAGE_MAX` of it.
    """
    return _follow(store, record, _UPSTREAM)


def downstream(store: MetadataStore, record: str) -> Lineage:
    """Everything that was made of it, directly or not. Blocks. Raises as `upstream` does."""
    return _follow(store, record, _DOWNSTREAM)


def _follow(store: MetadataStore, record: str, query: str) -> Lineage:
    with store.reading() as db:
        ids = [row["id"] for row in db.execute(query, (record, LINEAGE_MAX + 2))]
        if len(ids) > LINEAGE_MAX + 1:
            raise MetadataError(
                f"more than {LINEAGE_MAX} records are connected with {record}", reason="LineageTooLarge"
            )
    found = sorted(set(ids) - {record})
    artifacts = [one for part in _parts(found, "a-") for one in store.artifacts(ids=part)]
    executions = [one for part in _parts(found, "e-") for one in store.executions(ids=part)]
    with store.reading() as db:
        inside = set(ids)
        rows = [
            row
            for part in _parts([one for one in sorted(inside) if one.startswith("e-")], "e-")
            for row in db.execute(
                f"SELECT * FROM events WHERE execution IN ({', '.join('?' * len(part))})"  # noqa: S608
                " ORDER BY execution, artifact, type, path",
                part,
            )
        ]
    events = [Event(row["execution"], row["artifact"], row["type"], row["path"]) for row in rows]
    return Lineage(tuple(artifacts), tuple(executions), tuple(one for one in events if one.artifact in inside))


def _parts(ids: list[str], prefix: str) -> list[list[str]]:
    chosen = [one for one in ids if one.startswith(prefix)]
    return [chosen[first : first + _AT_ONCE] for first in range(0, len(chosen), _AT_ONCE)]
