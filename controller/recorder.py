"""Recording an event never delays a reconcile and never fails it: it is put in a bounded queue, or dropped (E3).

One task writes the queue to the server. Refusals of the server are final (E5); what may pass, no connection or a server
in trouble, is tried again. What happens again is counted, folded and limited by a correlator before it is queued.

An event with a `dedupe` text has a name computed from it, so that recording it again, even by another process after a
crash, finds it recorded already. Such a one stands for itself: it is neither folded nor held back. This module does not
know reconcilers.
"""

import asyncio
import contextlib
import hashlib
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

import attrs

from windlass.controller.correlation import Correlator, Count, CountingCorrelator, Create, HoldBack
from windlass.controller.status import rfc3339
from windlass.controller.subject import AnyObject, Subject, subject_of
from windlass.informers.builtins import Event
from windlass.informers.errors import (
    AlreadyExists,
    ApiError,
    ConnectionFailed,
    InformersError,
    NotFound,
    ServerError,
    TooManyRequests,
)
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType
from windlass.informers.resources import Resource

__all__ = ("EventType", "EventWriter", "Recorder", "event_body")

EventType = Literal["Normal", "Warning"]

_LOG = logging.getLogger("windlass.controller.recorder")

QUEUE_LENGTH_MAX = 1000  # as client-go; an event is about 1 KB
TRIES_MAX = 12
RETRY_SECONDS = 10.0
MESSAGE_BYTES_MAX = 1024  # what events.k8s.io accepts for a note
_NAME_LENGTH_MAX = 230  # an event's name is the object's, a dot and 16 characters, 253 in all at most


class EventWriter(Protocol):
    """The two requests that the recorder makes; `Api` fits."""

    async def create(self, kind: Resource, body: Mapping[str, Any], *, namespace: str | None = None) -> object:
        """Create the event."""

    async def patch(
        self,
        kind: Resource,
        key: Key,
        patch: Mapping[str, Any],
        *,
        type: PatchType = PatchType.MERGE,  # noqa: A002  # as Api has it
    ) -> object:
        """Raise an event's count."""


@attrs.frozen
class _Pending:
    write: Create | Count
    recorded: "asyncio.Future[bool]"

    @property
    def body(self) -> dict[str, Any]:
        return self.write.body


class Recorder:
    """Records Kubernetes Events about objects. Inert until `run`; what is recorded before waits in the queue.

    `component` is who reports, `instance` which process of it. `correlator` says how repeats are written: counted
    (`CountingCorrelator`, the default) or as series (`SeriesCorrelator`). Counters, in writes to the server:
    `recorded`, `dropped`, `refused`, `held_back` (by the limit of E2).
    """

    name = "recorder"

    def __init__(
        self,
        component: str,
        *,
        instance: str,
        clock: Callable[[], datetime],
        rng: random.Random | None = None,
        correlator: Correlator | None = None,
    ) -> None:
        self._component = component
        self.instance = instance
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311  # names and jitter, not secrets
        self._correlator = CountingCorrelator() if correlator is None else correlator
        self._queue: asyncio.Queue[_Pending] = asyncio.Queue(maxsize=QUEUE_LENGTH_MAX)
        self._stopping = asyncio.Event()
        self.recorded = 0
        self.dropped = 0
        self.refused = 0
        self.held_back = 0

    def event(
        self,
        obj: AnyObject,
        *,
        reason: str,
        message: str,
        type: EventType = "Normal",  # noqa: A002  # the field's own name
        dedupe: str | None = None,
    ) -> "asyncio.Future[bool]":
        """Record an event about `obj`; returns at once.

        Whoever must know awaits the future: True when the server has the event (or will have this occurrence with the
        next count of its series), False when it was dropped, held back or refused. It never raises. With `dedupe`, an
        event of the same object and text is recorded once, for as long as the server keeps events.
        """
        now = self._clock()
        reporter = {"component": self._component, "instance": self.instance}
        subject = subject_of(obj)
        body = event_body(subject, type=type, reason=reason, message=message)
        body["metadata"]["name"] = _event_name(subject, dedupe, self._rng)
        body |= {
            "source": {"component": reporter["component"]},
            "reportingComponent": reporter["component"],
            "reportingInstance": reporter["instance"],
            "firstTimestamp": rfc3339(now),
            "lastTimestamp": rfc3339(now),
            "count": 1,
        }
        loop = asyncio.get_running_loop()
        write = self._correlator.correlate(body, loop.time()) if dedupe is None else Create(body)
        if isinstance(write, HoldBack):
            self.held_back += write.lost
            recorded = loop.create_future()
            recorded.set_result(not write.lost)
            return recorded
        return self._put(write)

    async def run(self, writer: EventWriter) -> None:
        """Write events until `stop` or cancelled."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write_all(writer), name=f"{self.name}: writer")
            while not await self._stopped_within(self._correlator.sweep_seconds):
                self._put_due()
            self._put_due(final=True)
            await self.flush()
            writing.cancel()

    def stop(self) -> None:
        """Write what waits, each event with one try, and end."""
        self._stopping.set()

    async def flush(self) -> None:
        """Wait until everything recorded so far has been written, refused or given up."""
        await self._queue.join()

    def __repr__(self) -> str:
        return f"<Recorder waiting={self._queue.qsize()} recorded={self.recorded} dropped={self.dropped}>"

    def _put_due(self, *, final: bool = False) -> None:
        for write in self._correlator.due(asyncio.get_running_loop().time(), final=final):
            self._put(write)

    def _put(self, write: Create | Count) -> "asyncio.Future[bool]":
        pending = _Pending(write, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(pending)
        except asyncio.QueueFull:
            self.dropped += 1
            about, waiting = _about(write.body), QUEUE_LENGTH_MAX
            _LOG.warning("event %s about %s dropped: %d events wait already", write.body["reason"], about, waiting)
            pending.recorded.set_result(False)
        return pending.recorded

    async def _write_all(self, writer: EventWriter) -> None:
        while True:
            pending = await self._queue.get()
            written = False
            try:
                written = await self._write(writer, pending.write)
            finally:
                if not pending.recorded.done():
                    pending.recorded.set_result(written)
                self._queue.task_done()

    async def _write(self, writer: EventWriter, write: Create | Count) -> bool:
        body = write.body
        for attempt in range(TRIES_MAX):
            try:
                await _send(writer, write)
            except AlreadyExists:
                return True
            except (ConnectionFailed, ServerError, TooManyRequests) as error:
                # The first wait is random, so that many processes cut off together do not return together.
                seconds = RETRY_SECONDS if attempt else self._rng.uniform(0.0, RETRY_SECONDS)
                _LOG.debug("event %s not written, again in %.1f s: %s", body["reason"], seconds, error)
                if await self._stopped_within(seconds):
                    break
            except InformersError as error:
                self.refused += 1
                level = logging.WARNING if isinstance(error, ApiError) else logging.ERROR
                _LOG.log(level, "event %s about %s refused: %s", body["reason"], _about(body), error)
                return False
            else:
                self.recorded += 1
                return True
        self.dropped += 1
        _LOG.warning("event %s about %s dropped: the server could not be reached", body["reason"], _about(body))
        return False

    async def _stopped_within(self, seconds: float | None) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def _send(writer: EventWriter, write: Create | Count) -> None:
    """One request; or two, when the event that a count belongs to has reached the end of its time (E4)."""
    namespace = write.body["metadata"]["namespace"]
    if isinstance(write, Count):
        with contextlib.suppress(NotFound):
            await writer.patch(Event, Key(namespace, write.name), write.patch)
            return
    await writer.create(Event, write.body, namespace=namespace)


def event_body(subject: Subject, *, type: EventType, reason: str, message: str) -> dict[str, Any]:  # noqa: A002
    """The Event about `subject`, without name, times and reporter. Cluster-scoped subjects report to `default` (E6)."""
    namespace = subject.key.namespace or "default"
    regarding = {
        "apiVersion": subject.api_version,
        "kind": subject.kind,
        "name": subject.key.name,
        "namespace": subject.key.namespace,
        "uid": subject.uid,
        "resourceVersion": subject.resource_version,
    }
    return {
        "apiVersion": Event.api_version,
        "kind": Event.kind,
        "metadata": {"namespace": namespace},
        "involvedObject": {name: value for name, value in regarding.items() if value},
        "type": type,
        "reason": reason,
        "message": _shorten(message),
    }


def _event_name(subject: Subject, dedupe: str | None, rng: random.Random) -> str:
    if dedupe is None:
        suffix = f"{rng.getrandbits(64):016x}"
    else:
        suffix = hashlib.sha256(f"{subject.uid}\n{dedupe}".encode()).hexdigest()[:16]
    return f"{subject.key.name[:_NAME_LENGTH_MAX].rstrip('-.')}.{suffix}"


def _shorten(message: str) -> str:
    raw = message.encode()
    if len(raw) <= MESSAGE_BYTES_MAX:
        return message
    return raw[: MESSAGE_BYTES_MAX - 3].decode(errors="ignore") + "…"


def _about(body: Mapping[str, Any]) -> str:
    regarding = body["involvedObject"]
    return f"{regarding['kind']} {regarding['name']}"
