"""The elector holds a Lease for as long as it runs, and says by a clock, not by a flag, whether it still does.

A thin shell around `windlass.controller.lease`: one request at a time, each bounded so that it has ended before the
belief in leadership does (L14). It does not know what leadership is good for: whoever does gives `on_started` and
`on_stopped`, both synchronous, for renewal must not wait for them (L12).
"""

import asyncio
import logging
import random
import socket
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import attrs

from windlass.controller import lease
from windlass.controller.election import Candidacy
from windlass.controller.errors import LeadershipLost
from windlass.controller.lease import FencingToken, LeaseRecord
from windlass.controller.leases import Leases, StoredLease
from windlass.informers.contact import Complaints
from windlass.informers.errors import AlreadyExists, Conflict, InformersError, NotFound

__all__ = ("Elector", "new_identity")

_LOG = logging.getLogger("windlass.controller.elector")
_NO_ANNOTATIONS: Mapping[str, str] = {}

# Of client-go's health adaptor: how much longer than its lease a leader may go without a renewal before it counts as
# dead (L16). Only a blocked loop gets there, for a leader that runs gives up before.
_HEALTH_GRACE_SECONDS = 20.0


def new_identity() -> str:
    """The host's name and a random part: no other process has it, nor has this one after a restart."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def _nothing() -> None: ...


class Elector:
    """Tries to hold the Lease `name` from `run` on; `stop` gives it back. Runs once.

    `on_started(token)` is called when leadership begins, `on_stopped()` when the elector ends, even when it never led
    (L11). `annotations()` is what each write notes on the Lease, beside what others note there; `labels` as well.
    """

    def __init__(
        self,
        leases: Leases,
        name: str,
        candidacy: Candidacy,
        *,
        on_started: Callable[[FencingToken], None] = lambda _: None,
        on_stopped: Callable[[], None] = _nothing,
        labels: Mapping[str, str] = _NO_ANNOTATIONS,
        annotations: Callable[[], Mapping[str, str]] = lambda: _NO_ANNOTATIONS,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.candidacy = candidacy
        self.slow_paths = 0
        self._leases = leases
        self._on_started = on_started
        self._on_stopped = on_stopped
        self._labels = labels
        self._annotations = annotations
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter is no secret
        self._state: lease.State = lease.Standby(candidacy)
        self._known: StoredLease | None = None  # the last version seen, whole: what the next write is based on
        self._holder: str | None = None
        self._complaints = Complaints()
        self._hurry = asyncio.Event()
        self._stop_asked = False
        self._stop_told = False

    async def run(self) -> None:
        """Take part until stopped. Raises LeadershipLost when leadership ends in any other way."""
        loop = asyncio.get_running_loop()
        effects: tuple[lease.Effect, ...] = (lease.Wait(loop.time()),)
        try:
            while effects:
                event: lease.Event | None = None
                for effect in effects:
                    event = await self._perform(effect)
                if event is None:
                    return
                effects = self._step(event, loop.time())
        finally:
            self._state = lease.Over()  # whatever ended it, a cancellation too
            self._on_stopped()

    def stop(self) -> None:
        """Ask for the end: a standby ends at once, a leader gives the Lease back first. Work must have ended (L10)."""
        self._stop_asked = True
        self._hurry.set()

    def renew_soon(self) -> None:
        """If leading, write the Lease now rather than when it is due, for the sake of its annotations."""
        if isinstance(self._state, lease.Leading):
            self._hurry.set()

    @property
    def leads(self) -> bool:
        """Whether this process may believe that it leads. By the clock, so right even after the loop was blocked."""
        return lease.leads(self._state, asyncio.get_running_loop().time()) and not self._stop_asked

    @property
    def token(self) -> FencingToken:
        """The fencing token of this leadership. Raises LeadershipLost when there is none (any more)."""
        if not isinstance(self._state, lease.Leading) or not self.leads:
            raise LeadershipLost(self.name, self.candidacy.identity, "this process does not lead")
        return self._state.token

    @property
    def identity(self) -> str:
        """Under which name this process holds the Lease."""
        return self.candidacy.identity

    def health(self) -> str | None:
        """None, or what is wrong with a leader that has not renewed for too long. A standby is always well (L16)."""
        if not isinstance(self._state, lease.Leading):
            return None
        age = asyncio.get_running_loop().time() - self._state.renewed_at
        if age <= self.candidacy.lease_seconds + _HEALTH_GRACE_SECONDS:
            return None
        return f"the Lease {self.name} was last renewed {age:.0f} s ago"

    def __repr__(self) -> str:
        state = type(self._state).__name__.lower()
        return f"<Elector {self.name} {state} as {self.candidacy.identity}>"

    # Deciding.

    def _step(self, event: lease.Event, now: float) -> tuple[lease.Effect, ...]:
        if self._stop_asked and not self._stop_told:
            # Before the answer that has come meanwhile: what it brings is not to be used any more (M3).
            self._stop_told = True
            self._state, effects = lease.step(self._state, lease.Stop(), now)
            if effects:
                return effects
        if isinstance(self._state, lease.Leading) and isinstance(event, lease.Refused):
            self.slow_paths += 1
        self._state, effects = lease.step(self._state, event, now)
        return effects

    # Performing.

    async def _perform(self, effect: lease.Effect) -> lease.Event | None:
        match effect:
            case lease.Wait(at, spread):
                return await self._wait(at + spread * self._rng.random())
            case lease.Get():
                return await self._bounded(self._get())
            case lease.Put(record, version):
                return await self._bounded(self._put(record, version))
            case lease.Lead(token):
                _LOG.info("%s: leading as %s, token %s", self.name, self.candidacy.identity, token)
                self._on_started(token)
            case lease.Quit(lost) if lost:
                raise LeadershipLost(self.name, self.candidacy.identity, lost)
            case lease.Quit():
                _LOG.info("%s: over", self.name)
        return None

    async def _wait(self, at: float) -> lease.Event:
        try:
            async with asyncio.timeout_at(at):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()
        return lease.Due()

    async def _bounded(self, request: Coroutine[Any, Any, lease.Event]) -> lease.Event:
        """One request; half the renew deadline is its limit, and the end of the belief in leadership (L14)."""
        seconds = self.candidacy.renew_seconds / 2
        if isinstance(self._state, lease.Leading):
            seconds = min(seconds, max(0.0, self._state.until - asyncio.get_running_loop().time()))
        try:
            async with asyncio.timeout(seconds):
                event = await request
        except TimeoutError:
            reason = f"no answer within {seconds:.3g} s"
        except InformersError as error:
            reason = str(error)
        else:
            if not isinstance(event, lease.Failed):
                if not isinstance(event, lease.Missing):  # it may still be that it cannot be made
                    self._complaints.over()
                return event
            reason = event.reason
        if self._complaints.due(reason, asyncio.get_running_loop().time()):
            _LOG.warning("%s: %s", self.name, reason)
        return lease.Failed(reason)

    async def _get(self) -> lease.Event:
        sent_at = asyncio.get_running_loop().time()
        try:
            found = await self._leases.get(self.name)
        except NotFound:
            self._known = None
            return lease.Missing()
        self._known = found
        if found.record.holder != self._holder:
            self._holder = found.record.holder
            _LOG.info("%s: held by %s", self.name, self._holder or "nobody")
        return lease.Found(found.record, found.version, sent_at)

    async def _put(self, record: LeaseRecord, version: str | None) -> lease.Event:
        sent_at = asyncio.get_running_loop().time()
        known = self._known
        if version is None or known is None:
            known = StoredLease(self.name, "", record)
        labels, annotations = {**known.labels, **self._labels}, {**known.annotations, **self._annotations()}
        try:
            stored = await self._leases.put(attrs.evolve(known, record=record, labels=labels, annotations=annotations))
        except (Conflict, AlreadyExists):
            return lease.Refused()
        except NotFound as error:  # of the Lease, or, when it is to be made, of its namespace
            return lease.Refused() if known.version else lease.Failed(str(error))
        self._known = stored
        self._holder = stored.record.holder
        return lease.Wrote(stored.record, stored.version, sent_at)
