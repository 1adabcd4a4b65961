"""What went wrong in an object's life is read off its journal and its table alone, and each fault is named once.

- skipped: there was a way, but states on it were left out;
- illegal: there was no way, or the state was final;
- reverted: back to where the object had been before, against the table;
- repeated: the same transition written again while it had been made already;
- lost update: a write computed from an older version than the one it replaced; both writers are named.

This module does not know where the entries come from.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import attrs

from windlass.statemachine.journal import Entry, lives
from windlass.statemachine.machine import Machine

__all__ = ("Finding", "Kind", "examine")

Kind = Literal["skipped", "illegal", "reverted", "repeated", "lost update"]


@attrs.frozen
class Finding:
    """One fault, at the entry (or write) that made it. `writers` are all that took part, the one at fault last."""

    kind: Kind
    entry: Entry
    message: str
    writers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def examine(machine: Machine, entries: Iterable[Entry]) -> tuple[Finding, ...]:
    """Everything that is wrong, object by object, in the order in which it happened."""
    return tuple(
        finding
        for life in lives(entries).values()
        for index in range(len(life))
        for finding in _at(machine, life[: index + 1])
    )


def _at(machine: Machine, life: Sequence[Entry]) -> Iterator[Finding]:
    entry = life[-1]
    past = [one for one in life[:-1] if one.generation == entry.generation]
    if lost := _lost(life):
        yield lost
    if past and not lost:
        previous = past[-1]
        if (entry.source, entry.target) == (previous.source, previous.target) and entry.source != entry.target:
            message = f"{_move(entry)} by {_by(entry)} again, which {_by(previous)} had made already"
            yield Finding("repeated", entry, message, (_by(previous), _by(entry)))
            return
        if entry.source != previous.target:
            yield _between(machine, past, attrs.evolve(entry, source=previous.target, target=entry.source, cause=""))
    # A new generation begins anew, whatever state the object was in before.
    source = machine.initial if len(life) > 1 and not past and entry.generation > life[-2].generation else entry.source
    yield from _judged(machine, past, attrs.evolve(entry, source=source))


def _judged(machine: Machine, past: Sequence[Entry], entry: Entry) -> Iterator[Finding]:
    legal = [row for row in machine.rows if (row.source, row.target) == (entry.source, entry.target)]
    if not legal:
        if entry.source != entry.target:
            yield _between(machine, past, entry)
        return
    # A cause may be told in other words than the table's; in the table's own words it has to be the right one.
    if entry.cause in {row.event for row in machine.rows} - {row.event for row in legal}:
        expected = " or ".join(repr(row.event) for row in legal)
        message = f"{_move(entry)} by {_by(entry)} under the event {entry.cause!r}, but it is {expected}"
        yield Finding("illegal", entry, message, (_by(entry),))


def _between(machine: Machine, past: Sequence[Entry], entry: Entry) -> Finding:
    """What it is called that the object came from one state to another without a row."""
    been = {state for one in past for state in (one.source, one.target)}
    way = machine.path(entry.source, entry.target) if entry.source in machine.states else None
    who = f"{_move(entry)} by {_by(entry)}"
    if machine.is_final(entry.source):
        return Finding("illegal", entry, f"{who}: {entry.source!r} is final", (_by(entry),))
    if entry.target in been:
        return Finding("reverted", entry, f"{who}: it had been there before, and no row leads back", (_by(entry),))
    if way is None:
        return Finding("illegal", entry, f"{who}: no way leads there", (_by(entry),))
    left_out = ", ".join(repr(row.target) for row in way[:-1])
    what = f"without {left_out}" if left_out else "without a record of it"
    return Finding("skipped", entry, f"{who} {what}", (_by(entry),))


def _lost(life: Sequence[Entry]) -> Finding | None:
    """The first write that the last one undid because it was computed from an older version."""
    entry, base = life[-1], life[-1].version_before
    if not base or len(life) < 2:
        return None
    for other in life[:-1]:
        if base == other.version_before or _older(base, other.version_after):
            message = (
                f"{_by(entry)} wrote {_move(entry)} on version {base}, on which {_by(other)} had already written "
                f"{_move(other)}{f' (version {other.version_after})' if other.version_after else ''}"
            )
            return Finding("lost update", entry, message, (_by(other), _by(entry)))
    return None


def _older(version: str, other: str) -> bool:
    return version.isdecimal() and other.isdecimal() and int(version) < int(other)


def _move(entry: Entry) -> str:
    return f"{entry.source} → {entry.target}"


def _by(entry: Entry) -> str:
    return entry.writer or "an unknown writer"
