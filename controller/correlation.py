"""A thing that happens over and over is one Event with a count, and no object can flood the server with Events.

Pure: each occurrence comes with `now` (seconds of any steady clock) and leaves as what to write: a new Event, a patch
of one that was written before, or nothing. Three rules, in this order:

1. Similar occurrences (equal but for the message) are folded: from the tenth distinct message on they share one Event
   whose message begins with "(combined from similar events)". Ten minutes without any begin anew (E1).
2. An identical occurrence raises the count of the Event there is (E1).
3. Of one reporter about one object 25 writes may be made at once, and one more every five minutes (E2). What is held
   back is still counted, and the count goes out with the next write.

`windlass.controller.series` is the other way to do it. Neither knows how anything is sent.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs

__all__ = (
    "COMBINED",
    "Body",
    "Correlator",
    "Count",
    "CountingCorrelator",
    "Create",
    "HoldBack",
    "Write",
    "remember",
    "similarity",
)

Body: TypeAlias = Mapping[str, Any]
"""A core/v1 Event, complete with name, times and count 1."""

COMBINED = "(combined from similar events): "

# All as client-go's (table 1.12), so that what people know of `kubectl describe` holds.
DISTINCT_MAX = 10
SIMILAR_SECONDS = 600.0
BURST = 25
REFILL_SECONDS = 300.0
REMEMBERED_MAX = 4096


@attrs.frozen
class Create:
    """Write this as a new Event."""

    body: dict[str, Any]


@attrs.frozen
class Count:
    """Patch the Event of this name; if the server has forgotten it, write `body` anew under the same name (E4)."""

    name: str
    patch: dict[str, Any]
    body: dict[str, Any]


@attrs.frozen
class HoldBack:
    """Write nothing. `lost` tells whether an Event was due."""

    lost: bool


Write: TypeAlias = Create | Count | HoldBack


class Correlator(Protocol):
    """Turns occurrences into writes."""

    @property
    def sweep_seconds(self) -> float | None:
        """How often `due` should be asked; None for never."""

    def correlate(self, body: Body, now: float) -> Write:
        """What to write for one occurrence."""

    def due(self, now: float, *, final: bool = False) -> list[Count]:
        """What is to be written without a new occurrence; with `final`, everything that was still kept back."""


@attrs.define
class _Similar:
    """Occurrences equal but for the message. `messages` never grows beyond DISTINCT_MAX."""

    messages: set[str]
    last_at: float


@attrs.define
class _Known:
    """An Event that was written: how to find it, and how often it happened."""

    name: str
    first_timestamp: str
    count: int


@attrs.define
class _Bucket:
    tokens: float
    updated_at: float

    def take(self, now: float) -> bool:
        self.tokens = min(float(BURST), self.tokens + (now - self.updated_at) / REFILL_SECONDS)
        self.updated_at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class CountingCorrelator:
    """Counts repeats in the fields that `kubectl describe` has always shown. Remembers 4096 of each kind."""

    sweep_seconds: float | None = None

    def __init__(self) -> None:
        self._similar: OrderedDict[Hashable, _Similar] = OrderedDict()
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def correlate(self, body: Body, now: float) -> Write:
        """What to write for one occurrence."""
        event = dict(body)
        identity = self._fold(event, now)
        write = self._count(event, identity)
        return write if self._may_write(event, now) else HoldBack(lost=True)

    def due(self, now: float, *, final: bool = False) -> list[Count]:  # noqa: ARG002  # the protocol's signature
        """Nothing: every count is written when it rises."""
        return []

    def _fold(self, event: dict[str, Any], now: float) -> Hashable:
        """The identity under which the occurrence is counted; a folded one gets its message changed."""
        key, message = similarity(event), event["message"]
        similar = self._similar.get(key)
        if similar is None or now - similar.last_at > SIMILAR_SECONDS:
            similar = _Similar(set(), now)
        remember(self._similar, key, similar)
        similar.last_at = now
        if message in similar.messages:
            return key, message
        if len(similar.messages) < DISTINCT_MAX - 1:
            similar.messages.add(message)
            return key, message
        event["message"] = COMBINED + message
        return key

    def _count(self, event: dict[str, Any], identity: Hashable) -> Create | Count:
        known = self._known.get(identity)
        if known is None:
            known = _Known(event["metadata"]["name"], event["firstTimestamp"], 1)
            remember(self._known, identity, known)
            return Create(event)
        self._known.move_to_end(identity)
        known.count += 1
        event |= {
            "metadata": {**event["metadata"], "name": known.name},
            "firstTimestamp": known.first_timestamp,
            "count": known.count,
        }
        patch = {name: event[name] for name in ("count", "lastTimestamp", "message")}
        return Count(known.name, patch, event)

    def _may_write(self, event: Body, now: float) -> bool:
        key = _subject(event)
        bucket = self._buckets.get(key) or _Bucket(float(BURST), now)
        remember(self._buckets, key, bucket)
        return bucket.take(now)


def similarity(event: Body) -> Hashable:
    """Everything in which two occurrences of the same thing are equal; the message may differ."""
    return (*_subject(event), event["type"], event["reason"], event.get("action"))


def remember(memory: "OrderedDict[Hashable, Any]", key: Hashable, value: object) -> None:
    """Put the value at the young end of a memory of REMEMBERED_MAX entries."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED_MAX:
        memory.popitem(last=False)


def _subject(event: Body) -> tuple[Hashable, ...]:
    """The reporter and the object. Its version is left out: it changes with each write, and the object stays itself."""
    regarding = event["involvedObject"]
    fields = ("apiVersion", "kind", "namespace", "name", "uid", "fieldPath")
    return event["reportingComponent"], event["reportingInstance"], *(regarding.get(name) for name in fields)
