"""A history holds what the statuses of a job and its promotion say, at the times that they say, and nothing else.

So the same statuses have the same history on every machine and at every hour: an unfinished bar ends at the last moment
that is on record, not at the present. It is that of the newest life; journals are bounded, so its beginning may be
missing. This module does not know how it is drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

import attrs

from windlass.operators.promotion.types import Promotion
from windlass.operators.training.gate.types import CheckStatus, Outcome
from windlass.operators.training.types import JournalEntry, TrainingJob

__all__ = ("Bar", "Check", "History", "Level", "Row", "Tone", "history_of", "tone_of")

Tone = Literal["waiting", "working", "good", "bad", "halted"]

_WAITING: Final = ("Pending", "Queued", "VerifyingData")
_HALTED: Final = ("Suspended", "Paused", "Cancelled", "Canceled", "Interrupted")
_GOOD: Final = ("Succeeded", "Complete")
_BAD: Final = ("Failed", "RollingBack", "RolledBack")
_TONES: Final[Mapping[str, Tone]] = {"Lost": "bad", "Failed": "bad", "Suspended": "halted", "Cancelled": "halted"}


@attrs.frozen
class Bar:
    """From `start` to `end`; `open` if it has not ended by the last moment on record."""

    start: datetime
    end: datetime
    tone: Tone
    open: bool = False


@attrs.frozen
class Row:
    """What has a name and took time, once or several times; a final phase takes none and has a bar of no length."""

    name: str
    bars: tuple[Bar, ...]
    note: str = ""

    @property
    def seconds(self) -> float:
        """How long it took in all."""
        return sum((bar.end - bar.start).total_seconds() for bar in self.bars)


@attrs.frozen
class Level:
    """From this moment on the candidate had `weight` percent of the traffic."""

    at: datetime
    weight: int


@attrs.frozen
class Check:
    """What one check of the gate found. It has no time of its own on record, but for how long it took."""

    name: str
    outcome: Outcome
    seconds: float
    message: str
    required: bool = True


@attrs.frozen
class History:
    """One life of a job, begun with `generation`. `phase` is the last one; `levels` are the promotion's, in order."""

    title: str
    phase: str
    generation: int
    start: datetime
    end: datetime
    phases: tuple[Row, ...] = ()
    attempts: tuple[Row, ...] = ()
    checks: tuple[Check, ...] = ()
    verdict: str = ""
    promotion: Row | None = None
    levels: tuple[Level, ...] = ()
    facts: tuple[str, ...] = ()


def history_of(job: TrainingJob, promotion: Promotion | None = None) -> History | None:
    """The history of the job's newest life; None if nothing is on record yet, not even when it was made."""
    status = job.status
    entries = [one for one in status.journal if one.generation == status.life_generation]
    born = job.metadata.creation_timestamp if status.life_generation <= 1 else None
    moments = [entry.at for entry in entries] + ([] if born is None else [born])
    moments += _moments_of(promotion)
    if not moments:
        return None
    last = max(moments)
    return History(
        title=str(job.metadata.key),
        phase=status.phase,
        generation=max(status.life_generation, 1),
        start=min(moments),
        end=last,
        phases=_phases(entries, born=born, last=last),
        attempts=tuple(_attempts(job, last=last)),
        checks=tuple(map(_check, status.gate.checks)) if status.gate is not None else (),
        verdict=status.gate.message if status.gate is not None else "",
        promotion=None if promotion is None else _promotion(promotion, last=last),
        levels=() if promotion is None else tuple(_levels(promotion)),
        facts=tuple(_facts(job)),
    )


def tone_of(phase: str) -> Tone:
    """What kind of phase it is; one that is not known here is work."""
    for tone, phases in (("waiting", _WAITING), ("halted", _HALTED), ("good", _GOOD), ("bad", _BAD)):
        if phase in phases:
            return tone  # type: ignore[return-value]  # the names above are tones
    return "working"


def _phases(entries: Sequence[JournalEntry], *, born: datetime | None, last: datetime) -> tuple[Row, ...]:
    found: dict[str, list[Bar]] = {}
    if born is not None and (not entries or entries[0].source == "Pending"):
        found["Pending"] = [Bar(born, entries[0].at if entries else last, "waiting", open=not entries)]
    for entry, after in pairwise((*entries, None)):
        assert entry is not None
        end, tone = last if after is None else after.at, tone_of(entry.target)
        final = after is None and tone in ("good", "bad")
        bar = Bar(entry.at, entry.at if final else end, tone, open=after is None and not final)
        bars = found.setdefault(entry.target, [])
        if entry.source == entry.target and bars:
            bar = attrs.evolve(bar, start=bars.pop().start)  # a new attempt does not end the phase
        bars.append(bar)
    return tuple(Row(name, tuple(bars)) for name, bars in found.items())


def _attempts(job: TrainingJob, *, last: datetime) -> Iterator[Row]:
    """One row an attempt on record; a pause before it is the gap between two of them."""
    for attempt in job.status.attempts:
        end = last if attempt.finished_at is None else attempt.finished_at
        start = min(attempt.started_at, end)  # the next one may not have begun yet
        bar = Bar(start, end, _TONES.get(attempt.outcome, "working"), open=attempt.finished_at is None)
        resumed = f"from step {attempt.resumed_from_step}" if attempt.resumed_from_step else ""
        outcome = "" if attempt.outcome == "Succeeded" else attempt.outcome.lower()
        yield Row(f"attempt {attempt.number}", (bar,), ", ".join(filter(None, (resumed, outcome))))


def _check(found: CheckStatus) -> Check:
    return Check(found.name, found.outcome, found.duration_seconds, found.message, required=found.required)


def _moments_of(promotion: Promotion | None) -> list[datetime]:
    if promotion is None:
        return []
    born = promotion.metadata.creation_timestamp
    return (
        [entry.at for entry in promotion.status.journal]
        + [level.at for level in _levels(promotion)]
        + ([] if born is None else [born])
    )


def _promotion(promotion: Promotion, *, last: datetime) -> Row | None:
    entries = promotion.status.journal
    bars = []
    for entry, after in pairwise((*entries, None)):
        assert entry is not None
        tone = tone_of(entry.target)
        final = after is None and entry.target in ("Succeeded", "RolledBack", "Interrupted", "Failed")
        end = entry.at if final else last if after is None else after.at
        bars.append(Bar(entry.at, end, tone, open=after is None and not final))
    return Row(promotion.metadata.name, tuple(bars), promotion.status.phase) if bars else None


def _levels(promotion: Promotion) -> Iterator[Level]:
    for operation in promotion.status.operations:
        if operation.finished_at is not None:
            yield Level(operation.finished_at, operation.weight)


def _facts(job: TrainingJob) -> Iterator[str]:
    status = job.status
    if status.data is not None:
        yield f"data version {status.data.version}, {status.data.rows} rows"
    if status.validation is not None:
        yield f"accuracy {status.validation.accuracy:.4f} on {status.validation.rows} held-out rows"
    if status.model is not None:
        yield f"model {status.model.name} version {status.model.version}"
    for condition in status.conditions:
        if condition.type == "Succeeded" and condition.status == "False":
            yield f"{condition.reason}: {condition.message}"
