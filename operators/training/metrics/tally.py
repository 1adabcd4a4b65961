"""Every transition that a job's status puts on record is counted once, and never those from before we looked.

Statuses are seen as they come, and some may be missed; the journal has what happened in between. A job that was there
at the beginning tells where it is and nothing more, so a controller that is started again counts nothing twice. This
module does not know how numbers are told.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import attrs
import msgspec

from windlass.controller.histogram import Histogram
from windlass.operators.training.phases import MACHINE

__all__ = ("PHASE_SECONDS", "Seen", "Tally", "read")

PHASE_SECONDS: Final = (
    0.0,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    14_400.0,
    43_200.0,
    86_400.0,
    604_800.0,
)
"""Bounds in seconds. Times on record are whole seconds, so a phase of no time at all has a bucket of its own."""


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    at: datetime
    source: str = ""
    target: str = ""
    cause: str = ""
    generation: int = 0
    digest: str = ""


class _Attempt(msgspec.Struct, frozen=True, rename="camel"):
    number: int = 0
    op_id: str = ""


class _Check(msgspec.Struct, frozen=True):
    check: str = ""
    outcome: str = ""


class _Gate(msgspec.Struct, frozen=True, rename="camel"):
    passed: bool = False
    model_sha256: str = msgspec.field(name="modelSha256", default="")
    checks: tuple[_Check, ...] = ()


class Seen(msgspec.Struct, frozen=True):
    """As much of a job's status as is counted."""

    phase: str = "Pending"
    journal: tuple[_Entry, ...] = ()
    attempts: tuple[_Attempt, ...] = ()
    gate: _Gate | None = None


_DECODER: Final = msgspec.json.Decoder(Seen)


def read(status: bytes) -> Seen:
    """What is counted of a status, which may be empty; one of another form is one that says nothing."""
    try:
        return _DECODER.decode(status) if status else Seen()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Seen()


def _zero(names: Sequence[str]) -> Counter[str]:
    return Counter(dict.fromkeys(names, 0))


def _histograms() -> dict[str, Histogram]:
    return {phase: Histogram(PHASE_SECONDS) for phase in MACHINE.states if not MACHINE.is_final(phase)}


@attrs.define
class Tally:
    """The counts so far. Every series that can be known beforehand is there at zero (C16)."""

    jobs: Counter[str] = attrs.field(factory=lambda: _zero(MACHINE.states))
    ended: Counter[str] = attrs.field(factory=lambda: _zero([one for one in MACHINE.states if MACHINE.is_final(one)]))
    attempts: int = 0
    resumes: int = 0
    verdicts: Counter[str] = attrs.field(factory=lambda: _zero(("passed", "refused")))
    checks: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    seconds: dict[str, Histogram] = attrs.field(factory=_histograms)

    def appear(self, new: Seen, *, before: bool) -> None:
        """A job that was not known; `before` if it was there before we looked."""
        self.jobs[new.phase] += 1
        if not before:
            self._count(Seen(), new)

    def change(self, old: Seen, new: Seen) -> None:
        """A job's status is another now."""
        self.jobs[old.phase] -= 1
        self.jobs[new.phase] += 1
        self._count(old, new)

    def vanish(self, old: Seen) -> None:
        """The job is gone."""
        self.jobs[old.phase] -= 1

    def _count(self, old: Seen, new: Seen) -> None:
        for previous, entry in _fresh(old, new):
            left = previous is not None and previous.generation == entry.generation and entry.source != entry.target
            if left and previous is not None and entry.source in self.seconds:
                since = _entered(previous, new.journal)
                self.seconds[entry.source].observe(max((entry.at - since).total_seconds(), 0.0))
            if entry.target in self.ended:
                self.ended[entry.target] += 1
        known = {one.op_id for one in old.attempts}
        begun = [one for one in new.attempts if one.op_id not in known]
        self.attempts += len(begun)
        self.resumes += sum(one.number > 1 for one in begun)
        if new.gate is not None and new.gate != old.gate:
            self.verdicts["passed" if new.gate.passed else "refused"] += 1
            self.checks.update((one.check, one.outcome) for one in new.gate.checks)


def _fresh(old: Seen, new: Seen) -> Iterator[tuple[_Entry | None, _Entry]]:
    """The entries that are not in the older journal, each with the one before it."""
    known = set(old.journal)
    for previous, entry in pairwise((None, *new.journal)):
        if entry is not None and entry not in known:
            yield previous, entry


def _entered(previous: _Entry, journal: Sequence[_Entry]) -> datetime:
    """When the phase that `previous` led to was entered: a move from a phase to itself enters nothing."""
    place = journal.index(previous)
    while place > 0 and journal[place].source == journal[place].target:
        place -= 1
    return journal[place].at
