"""A transition that has been written to the server is in the file before anything is decided on top of it.

One entry a line, appended and flushed; when the file grows beyond its bound, it becomes `<name>.1` in place of the one
before, so two files hold the past and no more. A line that a crash cut in half is passed over by readers. This module
does not know what a state means: a transition is a change of one field of the status.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from windlass.statemachine.journal import Entry, to_json
from windlass.statemachine.machine import Machine

__all__ = ("JournalFile",)

_BYTES_MAX: Final = 16 * 2**20


@attrs.define(eq=False)
class JournalFile:
    """Where a manager records transitions: `Settings(journal=JournalFile(Path("journal.jsonl")))`.

    `machines` give, by kind, the table that the states follow, from which a transition's event is known; of other kinds
    the cause is what woke the reconciler. `field` is the field of the status that holds the state; `bytes_max` bounds
    each of the two files.
    """

    path: Path
    machines: Mapping[str, Machine] = attrs.field(factory=dict)
    field: str = "phase"
    bytes_max: int = attrs.field(default=_BYTES_MAX, validator=attrs.validators.gt(0))

    def changed(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Whether going from one status to the other is a transition."""
        return bool(before.get(self.field) != after.get(self.field))

    def move(self, kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str, str]:
        """The state before and after, and the table's event that leads there, "" if it has none or several."""
        machine = self.machines.get(kind)
        initial = "" if machine is None else machine.initial
        source, target = (str(status.get(self.field) or initial) for status in (before, after))
        rows = [] if machine is None else [row for row in machine.rows if (row.source, row.target) == (source, target)]
        return source, target, rows[0].event if len(rows) == 1 else ""

    @staticmethod
    def generation(after: Mapping[str, Any]) -> int:
        """The generation that the state belongs to, 0 if it does not say.

        `lifeGeneration` goes before `observedGeneration`, in kinds whose life outlasts an edit.
        """
        return int(after.get("lifeGeneration") or after.get("observedGeneration") or 0)

    def append(self, entry: Entry) -> None:
        """Write the entry behind the others. Raises OSError when the file cannot be written."""
        line = json.dumps(to_json(entry), ensure_ascii=False) + "\n"
        if self.path.exists() and self.path.stat().st_size + len(line) > self.bytes_max:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)
