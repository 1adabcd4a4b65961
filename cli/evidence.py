"""What is known of objects' lives, wherever it was written down: a journal, an audit log, or an object's own status.

A file is read line by line; whether a line is a journal's or an audit log's is seen from the line. The last line may
have been cut off by a crash; any other that is no JSON object is an error.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import attrs

from windlass.informers import Api, Client, Cluster, CustomResource, Key
from windlass.informers.errors import NotFound
from windlass.informers.resources import resource_of
from windlass.statemachine import JournalError, Machine
from windlass.statemachine.audit import is_audit_event, losses, transitions, writes
from windlass.statemachine.forensics import Finding, examine
from windlass.statemachine.journal import Entry, from_json

__all__ = ("Evidence", "Question", "from_file", "from_object")

_NAMES_MAX: Final = 5
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


@attrs.frozen
class Question:
    """Whose life, by which table: objects of `kind`, all or the one of `key`, with the state in `.status.<field>`."""

    machine: Machine
    kind: type[CustomResource]
    key: Key | None = None
    field: str = "phase"

    def is_about(self, entry: Entry) -> bool:
        """Whether the entry belongs to what was asked for; one that lies in the object itself always does."""
        kind, _, place = entry.subject.partition(" ")
        return not entry.subject or (kind == self.kind.__name__ and (self.key is None or str(self.key) == place))


@attrs.frozen
class Evidence:
    """The transitions, in order for each object, and everything that is wrong with them."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]


def from_file(path: Path, question: Question) -> Evidence:
    """What a journal or an audit log says. Raises JournalError, which names the line, and OSError.

    A file that holds nothing of what was asked for is an error, too: silence would read as a clean life.
    """
    journal: list[Entry] = []
    audited: list[Mapping[str, Any]] = []
    for number, line in _lines(path):
        if is_audit_event(line):
            audited.append(line)
            continue
        try:
            journal.append(from_json(line))
        except JournalError as error:
            raise JournalError(f"{path}, line {number}: {error}") from None
    if not journal and not audited:
        raise JournalError(f"{path} holds no line of a journal or of an audit log")
    found = list(writes(audited, field=question.field, initial=question.machine.initial))
    asked = tuple(entry for entry in journal if question.is_about(entry))
    written = [write for write in found if question.is_about(write.entry)]
    if not asked and not written:
        _refuse_others(path, question, (*journal, *(write.entry for write in found)))
    return _judged((*asked, *transitions(written)), question, losses(written))


def _refuse_others(path: Path, question: Question, entries: tuple[Entry, ...]) -> NoReturn:
    """Raises JournalError: what was asked for is not what the file is about."""
    wanted = question.kind.__name__
    if not entries:
        raise JournalError(
            f"{path}: expected a write with the object that came of it (audit level RequestResponse), found none"
        )
    subjects = sorted({entry.subject for entry in entries})
    keys = [place for kind, _, place in (subject.partition(" ") for subject in subjects) if kind == wanted]
    if keys:
        raise JournalError(f"{path} has no {wanted} {question.key}; it has {_some(keys)}")
    kinds = sorted({subject.partition(" ")[0] for subject in subjects})
    raise JournalError(f"{path} is about {_some(kinds)}, and not about {wanted}; say --kind")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_MAX]) or "none"
    return f"{shown} and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else shown


async def from_object(kubeconfig: Path | None, question: Question, key: Key) -> Evidence:
    """What the object's own `.status.journal` says. Raises JournalError if it has none, and informers' errors."""
    async with Client(await Cluster.load(kubeconfig)) as client:
        try:
            found = (await Api(client).get(resource_of(question.kind), key)).to_dict()
        except NotFound:
            raise JournalError(f"there is no file and no {question.kind.__name__} of the name {key}") from None
    status = found.get("status")
    journal = status.get("journal") if isinstance(status, dict) else None
    if not isinstance(journal, list):
        raise JournalError(f"{question.kind.__name__} {key} keeps no journal in its status")
    entries = tuple(attrs.evolve(from_json(one), subject=f"{question.kind.__name__} {key}") for one in journal)
    return _judged(entries, question)


def _judged(entries: Iterable[Entry], question: Question, found: tuple[Finding, ...] = ()) -> Evidence:
    entries = tuple(entries)
    return Evidence(entries, (*examine(question.machine, entries), *found))


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = path.read_text("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            if number == len(lines):
                return
            found = None
        if not isinstance(found, dict):
            raise JournalError(f"{path}, line {number}: expected a JSON object, found {line[:60]!r}")
        if _HALF.search(line):  # JSON can hold half a character, and no output can
            found = json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
        yield number, found
