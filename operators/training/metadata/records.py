"""A record is a value under an id that follows from what it is a record of, so that recording twice is recording once.

Names and event types are those of ML Metadata. This module does not know how records are kept.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import attrs

__all__ = (
    "FINAL_STATES",
    "INPUTS",
    "Artifact",
    "Association",
    "Batch",
    "Context",
    "Event",
    "EventType",
    "Execution",
    "Record",
    "State",
    "record_id",
)

State = Literal["NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED"]
EventType = Literal["INPUT", "OUTPUT", "DECLARED_INPUT", "DECLARED_OUTPUT"]

FINAL_STATES: Final = frozenset({"COMPLETE", "FAILED", "CACHED", "CANCELED"})
INPUTS: Final = frozenset({"INPUT", "DECLARED_INPUT"})

_PREFIX: Final[Mapping[str, str]] = {"artifact": "a", "execution": "e", "context": "c"}
_DIGITS: Final = 32


def record_id(kind: Literal["artifact", "execution", "context"], type_: str, *identity: str | int) -> str:
    """The id of what is identified by these words: `a-`, `e-` or `c-` and 32 hexadecimal digits."""
    told = json.dumps([kind, type_, *identity]).encode()
    return f"{_PREFIX[kind]}-{hashlib.sha256(told).hexdigest()[:_DIGITS]}"


@attrs.frozen
class Artifact:
    """Something that was read or made: data, a model, numbers about it, a card. It never changes."""

    id: str
    type: str
    name: str
    uri: str = ""
    digest: str = ""
    created_at: datetime | None = None
    properties: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Execution:
    """A step that was carried out. It may change until its state is final."""

    id: str
    type: str
    name: str
    state: State
    started_at: datetime | None = None
    finished_at: datetime | None = None
    properties: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Context:
    """What records belong together under: a job, a run. It never changes."""

    id: str
    type: str
    name: str
    properties: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Event:
    """An execution read or made an artifact; `path` tells several of one type apart."""

    execution: str
    artifact: str
    type: EventType
    path: str = ""


@attrs.frozen
class Association:
    """An artifact or an execution belongs to a context."""

    context: str
    member: str


Record = Artifact | Execution | Context


@attrs.frozen
class Batch:
    """What is recorded together, or not at all."""

    artifacts: tuple[Artifact, ...] = ()
    executions: tuple[Execution, ...] = ()
    contexts: tuple[Context, ...] = ()
    events: tuple[Event, ...] = ()
    associations: tuple[Association, ...] = ()

    def __or__(self, other: "Batch") -> "Batch":
        """Both, this one first."""
        return Batch(*(getattr(self, field.name) + getattr(other, field.name) for field in attrs.fields(Batch)))
