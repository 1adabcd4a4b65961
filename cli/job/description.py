"""Everything that is on record of one job, in the order in which people ask: what, how far, why, and what happened.

It is made of the object as the server sent it, so parts that this version does not know are shown, too, and a status
that is damaged can still be looked at. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from windlass.cli.job.summary import age
from windlass.operators.training.card.escaping import visible

__all__ = ("describe",)

_WIDTH: Final = 14
_KNOWN: Final = ("phase", "observedGeneration", "conditions", "journal", "gate", "runs", "attempts")
_SIGNS: Final = {"Passed": "✓", "Failed": "✗", "Error": "!"}
_EVENTS_MAX: Final = 20


def describe(
    job: Mapping[str, Any], promotion: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]], *, now: datetime
) -> Iterator[str]:
    """The lines, sections after each other. `job`, `promotion` and `events` are objects as the API has them."""
    metadata, spec, status = (_mapping(job.get(name)) for name in ("metadata", "spec", "status"))
    yield f"{metadata.get('namespace')}/{metadata.get('name')}: {status.get('phase', 'Pending')}"
    if _is_behind(metadata, status):
        yield "  its spec has changed, and no operator has looked at it since"
    yield from _section("Spec", _fields(spec))
    for name, found in status.items():
        if name not in _KNOWN and found not in (None, {}, [], ""):
            shown = _fields(found) if isinstance(found, Mapping) else [_text(found)]
            yield from _section(_title(name), shown)
    yield from _section("Attempts", _items(status.get("attempts")))
    yield from _section("Gate", _gate(_mapping(status.get("gate"))))
    yield from _section("Promotion", _promotion(promotion))
    yield from _section("Conditions", _conditions(_list(status.get("conditions"))))
    yield from _section("Journal", _journal(_list(status.get("journal"))))
    yield from _section("Events", _events(events, now))


def _section(title: str, lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {visible(line)}" for line in found)


def _fields(found: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """One line a value; those of inner objects under their path."""
    for name, value in found.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from _fields(value, f"{path}.")
        elif value not in (None, {}, [], ""):
            yield f"{path:<{_WIDTH}} {_text(value)}"


def _items(found: object) -> Iterator[str]:
    for item in _list(found):
        values = (f"{name} {_text(value)}" for name, value in item.items() if value not in (None, "", [], {}))
        yield ", ".join(values)


def _gate(gate: Mapping[str, Any]) -> Iterator[str]:
    if not gate:
        return
    yield f"{'passed' if gate.get('passed') else 'refused'}: {gate.get('message', '')}"
    for check in _list(gate.get("checks")):
        optional = "" if check.get("required", True) else " (not required)"
        sign = _SIGNS.get(str(check.get("outcome")), "-")
        yield f"{sign} {check.get('name')}{optional}: {check.get('message', '')}"


def _promotion(promotion: Mapping[str, Any] | None) -> Iterator[str]:
    if promotion is None:
        return
    metadata, status = _mapping(promotion.get("metadata")), _mapping(promotion.get("status"))
    yield f"{metadata.get('name')}: {status.get('phase', 'Pending')} at {status.get('weight', 0)} %"
    for entry in _list(status.get("journal")):
        yield f"{entry.get('at')}  {entry.get('source')} → {entry.get('target')}  {entry.get('message', '')}".rstrip()


def _conditions(conditions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = max((len(str(one.get("type"))) for one in conditions), default=0)
    reasons = max((len(str(one.get("reason"))) for one in conditions), default=0)
    for one in conditions:
        kind, reason = str(one.get("type")).ljust(width), str(one.get("reason")).ljust(reasons)
        yield f"{kind}  {one.get('status')!s:<7}  {reason}  {one.get('message', '')}".rstrip()


def _journal(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        generation = f"  generation {entry['generation']}" if int(entry.get("generation") or 1) > 1 else ""
        yield f"{entry.get('at')}  {entry.get('source')} → {entry.get('target')}  {entry.get('cause')}{generation}"


def _events(events: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    if len(events) > _EVENTS_MAX:
        yield f"{len(events) - _EVENTS_MAX} older ones"
    for event in events[-_EVENTS_MAX:]:
        seen = event.get("lastTimestamp") or event.get("eventTime") or ""
        yield f"{_ago(str(seen), now):>7}  {event.get('type')!s:<7}  {event.get('reason')}  {event.get('message', '')}"


def _ago(text: str, now: datetime) -> str:
    try:
        return age((now - datetime.fromisoformat(text)).total_seconds())
    except (TypeError, ValueError):
        return "-"


def _is_behind(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    return bool(status) and status.get("observedGeneration") != metadata.get("generation")


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return str(value)


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _list(found: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
