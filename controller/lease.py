"""At most one candidate believes at a time that it holds a Lease, however wrong the clocks of the others are.

The belief is bounded by this process's own clock: it ends `renew_seconds` after the last acknowledged write was *sent*,
while nobody may take a Lease over before it has seen it unchanged for the whole duration that is written in it (L1,
L4). As that duration is longer, a leader has stopped believing before anybody else begins. A belief that has ended
never returns.

`step` decides and does no I/O; `windlass.controller.elector` performs. This module knows neither the API server nor
what is done with leadership. It cannot help a process that is paused while it believes (L13): for that there is the
FencingToken.
"""

from typing import TypeAlias

import attrs

from windlass.controller.election import Candidacy
from windlass.informers.versions import parse_version

__all__ = (
    "Due",
    "Effect",
    "Event",
    "Failed",
    "FencingToken",
    "Found",
    "Get",
    "Lead",
    "Leading",
    "LeaseRecord",
    "Missing",
    "Over",
    "Put",
    "Quit",
    "Refused",
    "Releasing",
    "Sighting",
    "Standby",
    "State",
    "Stop",
    "Wait",
    "Wrote",
    "leads",
    "step",
)

_SPREAD = 1.2  # of client-go: a candidate looks each 1 to 2.2 retry periods, so that a fleet does not march in step
_RELEASED_SECONDS = 1  # the duration in a released Lease (L9): zero would be refused by the server


@attrs.frozen
class LeaseRecord:
    """What a Lease says. Its times are text and are compared with nothing (L1); "" is "now", when it is written."""

    holder: str = ""
    lease_seconds: int = 0
    transitions: int = 0
    acquire_time: str = ""
    renew_time: str = ""


@attrs.frozen(order=True)
class FencingToken:
    """Grows with each acquisition: a store that has seen a greater one must refuse what comes with this one.

    `revision` is the resource version of the write that acquired the Lease, which the server hands out in ascending
    order, also after the Lease has been deleted and made anew; `transitions` is its leaseTransitions after that write.
    """

    revision: int
    transitions: int

    def __str__(self) -> str:
        """`revision.transitions`, as it is written into annotations; the inverse of `parse`."""
        return f"{self.revision}.{self.transitions}"

    @classmethod
    def parse(cls, text: str) -> "FencingToken":
        """The token written as `revision.transitions`. Raises ValueError for anything else."""
        revision, dot, transitions = text.partition(".")
        if not (dot and revision.isdecimal() and transitions.isdecimal()):
            raise ValueError(f"not a fencing token: expected 'revision.transitions', found {text!r}")
        return cls(int(revision), int(transitions))


# States.


@attrs.frozen
class Sighting:
    """A version of the Lease, and when this process first saw it."""

    record: LeaseRecord
    version: str
    since: float


@attrs.frozen
class Standby:
    """Does not lead. `asking`: a request is under way."""

    me: Candidacy
    seen: Sighting | None = None
    asking: bool = False


@attrs.frozen
class Leading:
    """Leads until `until`, unless a renewal is acknowledged before. `attempted_at` is when the last attempt began."""

    me: Candidacy
    record: LeaseRecord
    version: str
    token: FencingToken
    until: float
    renewed_at: float
    attempted_at: float
    asking: bool = False


@attrs.frozen
class Releasing:
    """Has stopped; gives back what it holds, or may hold by an answer that is still to come, until `until` (L9)."""

    me: Candidacy
    record: LeaseRecord | None
    version: str
    until: float
    asking: bool = False


@attrs.frozen
class Over:
    """Will never lead (again). `lost` holds why leadership ended against its will, "" when it did not."""

    lost: str = ""


State: TypeAlias = Standby | Leading | Releasing | Over

# Events.


@attrs.frozen
class Due:
    """The time that a Wait named has come; also the first event of all."""


@attrs.frozen
class Found:
    """The server's answer to a Get that was sent at `sent_at`."""

    record: LeaseRecord
    version: str
    sent_at: float


@attrs.frozen
class Missing:
    """There is no such Lease."""


@attrs.frozen
class Wrote:
    """The server has stored `record`, which was sent at `sent_at`, as `version`."""

    record: LeaseRecord
    version: str
    sent_at: float


@attrs.frozen
class Refused:
    """Somebody else has written the Lease since the version that the Put was based on."""


@attrs.frozen
class Failed:
    """No answer, or one that tells nothing: the request may have been carried out, or may yet be."""

    reason: str


@attrs.frozen
class Stop:
    """The work has ended and leadership is not wanted any more."""


Event: TypeAlias = Due | Found | Missing | Wrote | Refused | Failed | Stop

# Effects.


@attrs.frozen
class Get:
    """Read the Lease."""


@attrs.frozen
class Put:
    """Write the record if the Lease is still at `version` (None: if there is none), stamping times that are ""."""

    record: LeaseRecord
    version: str | None


@attrs.frozen
class Wait:
    """Send Due at `at`, or up to `spread` seconds later."""

    at: float
    spread: float = 0.0


@attrs.frozen
class Lead:
    """Leadership has begun."""

    token: FencingToken


@attrs.frozen
class Quit:
    """All is over. With `lost`, everything that needs leadership must end at once."""

    lost: str = ""


Effect: TypeAlias = Get | Put | Wait | Lead | Quit

_Move: TypeAlias = tuple[State, tuple[Effect, ...]]


def leads(state: State, now: float) -> bool:
    """Whether this process may believe that it leads. Ends by itself: ask each time."""
    return isinstance(state, Leading) and now < state.until


def step(state: State, event: Event, now: float) -> _Move:
    """The next state and what to do, in order. `now` is this process's clock, in seconds."""
    match state:
        case Standby():
            return _standby(state, event, now)
        case Leading():
            return _leading(state, event, now)
        case Releasing():
            return _releasing(state, event, now)
        case Over():
            return state, ()


# Standing by.


def _standby(state: Standby, event: Event, now: float) -> _Move:  # noqa: PLR0911 - one for each event
    match event:
        case Due():
            return attrs.evolve(state, asking=True), (Get(),)
        case Found(record, version, sent_at):
            return _judge(state, record, version, sent_at=sent_at, now=now)
        case Missing():
            return attrs.evolve(state, seen=None, asking=True), (Put(_acquiring(state.me, None), None),)
        case Wrote(record, version, sent_at):
            return _acquired(state, event, now)
        case Refused() | Failed():
            return attrs.evolve(state, asking=False), (_look_again(state.me, now),)
        case Stop():
            if state.asking:  # it may be an acquisition: what it brings must be given back, not used (M3)
                return Releasing(state.me, None, "", now + state.me.renew_seconds, asking=True), ()
            return Over(), (Quit(),)


def _judge(state: Standby, record: LeaseRecord, version: str, *, sent_at: float, now: float) -> _Move:
    seen = state.seen
    if seen is None or seen.version != version:
        seen = Sighting(record, version, now)
    # The record's own duration counts (L4), from when I first saw this version (L1, L2) to when I asked for this
    # answer: what happened while the answer was on its way, or while this process was paused, proves nothing.
    expired = sent_at - seen.since >= record.lease_seconds
    if record.holder in ("", state.me.identity) or expired:  # L3
        put = Put(_acquiring(state.me, record), version)
        return attrs.evolve(state, seen=seen, asking=True), (put,)
    return attrs.evolve(state, seen=seen, asking=False), (_look_again(state.me, now),)


def _acquiring(me: Candidacy, found: LeaseRecord | None) -> LeaseRecord:
    # A Lease in my own name that I do not hold is from a former life under the same name, or from an answer that I
    # never got. Taking it is a take-over too: whoever wrote under the old token must not pass for me (L6).
    transitions = 0 if found is None else found.transitions + 1
    return LeaseRecord(me.identity, me.lease_seconds, transitions)


def _acquired(state: Standby, wrote: Wrote, now: float) -> _Move:
    me = state.me
    until = wrote.sent_at + me.renew_seconds
    if now >= until:  # paused between sending and hearing: what was won may be lost again by now
        seen = Sighting(wrote.record, wrote.version, now)
        return attrs.evolve(state, seen=seen, asking=False), (_look_again(me, now),)
    token = FencingToken(parse_version(wrote.version) or 0, wrote.record.transitions)
    leading = Leading(me, wrote.record, wrote.version, token, until, wrote.sent_at, wrote.sent_at)
    return leading, (Lead(token), _renew_at(leading, now))


def _look_again(me: Candidacy, now: float) -> Wait:
    return Wait(now + me.retry_seconds, _SPREAD * me.retry_seconds)


# Leading.


def _leading(state: Leading, event: Event, now: float) -> _Move:  # noqa: PLR0911 - one for each event
    me = state.me
    if now >= state.until and not isinstance(event, Stop):
        reason = f"no renewal was acknowledged within {me.renew_seconds:g} s"
        return _lost(f"{reason} ({event.reason})" if isinstance(event, Failed) else reason)
    match event:
        case Due():
            renewal = _renewal(state)  # blindly, with what was last seen: one request instead of two (L7)
            return attrs.evolve(state, asking=True, attempted_at=now), (Put(renewal, state.version),)
        case Wrote(record, version, sent_at):
            until = sent_at + me.renew_seconds
            renewed = attrs.evolve(state, record=record, version=version, until=until, renewed_at=sent_at, asking=False)
            return renewed, (_renew_at(renewed, now),)
        case Refused():
            return state, (Get(),)  # somebody wrote, but not necessarily a new holder (L7)
        case Found(record, version, _):
            if not _is_ours(record, state.record):
                return _lost(f"it is held by {record.holder!r}" if record.holder else "somebody has cleared its holder")
            found = attrs.evolve(state, record=record, version=version)
            return found, (Put(_renewal(found), version),)
        case Missing():
            return _lost("somebody has deleted it")
        case Failed():
            return attrs.evolve(state, asking=False), (_renew_at(state, now),)
        case Stop():
            releasing = Releasing(me, state.record, state.version, now + me.renew_seconds, asking=state.asking)
            return _release(releasing) if not state.asking else (releasing, ())


def _is_ours(found: LeaseRecord, held: LeaseRecord) -> bool:
    return (found.holder, found.transitions) == (held.holder, held.transitions)


def _renewal(state: Leading) -> LeaseRecord:
    return attrs.evolve(state.record, lease_seconds=state.me.lease_seconds, renew_time="")  # acquire_time stays (L6)


def _renew_at(state: Leading, now: float) -> Wait:
    # Counted from the beginning of the last attempt, so that one that hung is followed by another at once; and not
    # beyond the end of the belief, which must be noticed when it comes.
    return Wait(min(max(now, state.attempted_at + state.me.retry_seconds), state.until))


def _lost(reason: str) -> _Move:
    return Over(reason), (Quit(reason),)


# Giving back.


def _releasing(state: Releasing, event: Event, now: float) -> _Move:  # noqa: PLR0911 - one for each event
    state = attrs.evolve(state, asking=False)
    match event:
        case Wrote(record, version, _):
            if not record.holder:
                return Over(), (Quit(),)
            return _release(attrs.evolve(state, record=record, version=version))
        case Found(record, version, _):
            if state.record is None or not _is_ours(record, state.record):
                return Over(), (Quit(),)
            return _release(attrs.evolve(state, record=record, version=version))
        case Missing():
            return Over(), (Quit(),)
        case Refused() | Failed() | Due():
            if state.record is None or now >= state.until:
                return Over(), (Quit(),)
            if isinstance(event, Failed):
                return state, (Wait(min(now + state.me.retry_seconds, state.until)),)
            return attrs.evolve(state, asking=True), (Get(),)
        case Stop():
            return state, ()


def _release(state: Releasing) -> _Move:
    assert state.record is not None  # who has nothing gives nothing back
    # One second, not zero, which the server refuses; the holder alone decides (L3, L9).
    record = attrs.evolve(state.record, holder="", lease_seconds=_RELEASED_SECONDS, renew_time="")
    return attrs.evolve(state, asking=True), (Put(record, state.version),)
