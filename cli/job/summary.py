"""One job in one line: what is worth knowing of it while it goes on, and how it ended. Pure.

Every field has a name of its own in JSON, which stays; the line for people is made from the same values. This module
does not know where lines go.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from windlass.informers.errors import StructureError
from windlass.informers.objects import Object
from windlass.operators.promotion.types import Promotion
from windlass.operators.training import TrainingJob
from windlass.operators.training.card.escaping import visible
from windlass.operators.training.life import same_life
from windlass.operators.training.phases import MACHINE
from windlass.statemachine.conditions import Conditions

__all__ = ("COLUMNS", "ENDS", "Summary", "age", "cells", "line", "promotion_key", "summarize", "summary_of", "to_json")

ENDS: Final = tuple(state for state in MACHINE.states if MACHINE.is_final(state))
"""The phases in which a job stays until its spec changes."""

COLUMNS: Final = ("NAME", "PHASE", "EPOCH", "LOSS", "ACCURACY", "HELD-OUT", "MODEL", "WEIGHT", "AGE")
_MESSAGE_MAX: Final = 300


@attrs.frozen(kw_only=True)
class Summary:
    """None is for what is not known, or not yet. `weight` is the share of traffic of the job's promotion, in percent.

    `reason` and `message` are those of the condition that says how the job ended or what it waits for.
    """

    namespace: str
    name: str
    phase: str
    reason: str = ""
    message: str = ""
    executor: str = ""
    attempt: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    held_out_accuracy: float | None = None
    gate: str | None = None
    model: str | None = None
    version: int | None = None
    promotion: str | None = None
    weight: int | None = None
    created: datetime | None = None
    ended: bool = False


def promotion_key(found: Object) -> tuple[str, str]:
    """The job's uid, and the name of the promotion on record of its present life; earlier lives had others."""
    status = found.to_dict().get("status")
    record = status.get("promotion") if isinstance(status, Mapping) else None
    return found.uid, str(record.get("name") or "") if isinstance(record, Mapping) else ""


def summary_of(found: Object, promotion: Promotion | None = None) -> Summary:
    """The job in short, even if its status is of no form that is known here: then the reason says so."""
    try:
        return summarize(found.as_(TrainingJob), promotion)
    except StructureError as error:
        return Summary(
            namespace=found.namespace, name=found.name, phase="Unknown", reason="StateCorrupt", message=str(error)
        )


def summarize(job: TrainingJob, promotion: Promotion | None = None) -> Summary:
    """The job in short. A status that speaks of other work does not end what is asked for now."""
    status = job.status
    known = same_life(job)
    reason, message = _why(job)
    progress, validation, model = status.progress, status.validation, status.model
    return Summary(
        namespace=job.metadata.namespace,
        name=job.metadata.name,
        phase=status.phase if known else "Pending",
        reason=reason if known else "",
        message=message if known else "",
        executor=job.spec.executor,
        attempt=status.run.attempt if status.run else None,
        epoch=progress.epoch if progress else None,
        epochs=progress.epochs if progress else None,
        loss=progress.loss if progress else None,
        accuracy=progress.accuracy if progress else None,
        held_out_accuracy=validation.accuracy if validation else None,
        gate=None if status.gate is None else "passed" if status.gate.passed else "refused",
        model=model.name if model else None,
        version=model.version if model else None,
        promotion=promotion.status.phase if promotion and known else None,
        weight=promotion.status.weight if promotion and known else None,
        created=job.metadata.creation_timestamp,
        ended=known and status.phase in ENDS,
    )


def to_json(summary: Summary) -> dict[str, Any]:
    """The summary under its JSON names, all of them, null for what is not known."""
    return {_camel(name): _plain(value) for name, value in attrs.asdict(summary).items()}


def cells(summary: Summary, now: datetime) -> tuple[str, ...]:
    """What stands in the columns of a table; `-` for what is not known."""
    found = (
        summary.name,
        summary.phase,
        None if summary.epoch is None else f"{summary.epoch}/{summary.epochs}",
        None if summary.loss is None else f"{summary.loss:.4f}",
        None if summary.accuracy is None else f"{summary.accuracy:.3f}",
        None if summary.held_out_accuracy is None else f"{summary.held_out_accuracy:.3f}",
        None if summary.model is None else f"{summary.model}:{summary.version}",
        None if summary.weight is None else f"{summary.weight} %",
        None if summary.created is None else age((now - summary.created).total_seconds()),
    )
    return tuple("-" if one is None else visible(one) for one in found)


def line(summary: Summary) -> str:
    """The same as a sentence without columns, for where lines follow each other."""
    parts = [summary.phase]
    if summary.epoch is not None:
        parts += [f"epoch {summary.epoch}/{summary.epochs}", f"loss {summary.loss:.4f}"]
        parts.append(f"accuracy {summary.accuracy:.3f}")
    if summary.held_out_accuracy is not None:
        parts.append(f"held-out {summary.held_out_accuracy:.3f}")
    if summary.model is not None:
        parts.append(f"model {summary.model}:{summary.version}")
    if summary.promotion is not None:
        parts.append(f"promotion {summary.promotion} at {summary.weight} %")
    if summary.reason and summary.phase != summary.reason:
        parts.append(f"{summary.reason}: {summary.message}" if summary.message else summary.reason)
    return visible(f"{summary.namespace}/{summary.name}: {'  '.join(parts)}")


def age(seconds: float) -> str:
    """A time as tables have it: the two greatest units at most, and one of them once it is long."""
    whole = max(int(seconds), 0)
    for unit, size, smaller in (("d", 86_400, "h"), ("h", 3600, "m"), ("m", 60, "s")):
        if whole >= 2 * size:
            count, rest = divmod(whole, size)
            part = rest // {"h": 3600, "m": 60, "s": 1}[smaller]
            return f"{count}{unit}{part}{smaller}" if count < 10 and part else f"{count}{unit}"
    return f"{whole}s"


def _cut(message: str) -> str:
    return message if len(message) <= _MESSAGE_MAX else f"{message[: _MESSAGE_MAX - 1]}…"


def _why(job: TrainingJob) -> tuple[str, str]:
    """Of a job that has ended, why; of another, what its first condition that is not yet true waits for."""
    conditions = Conditions.of(job.status.conditions)
    ended = conditions.get("Succeeded")
    if ended is not None and ended.status == "False":
        return ended.reason, _cut(ended.message)
    for one in job.status.conditions:
        if one.status == "Unknown" and one.type != "Succeeded" and one.reason not in ("Waiting", "Running"):
            return one.reason, _cut(one.message)
    return "", ""


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _plain(value: object) -> object:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
