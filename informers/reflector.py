"""A reflector follows one collection: list, then watch, and never a gap that is not noticed and closed by a new list.

`step` decides, synchronously and without I/O; `feed` performs what it decides. The table is every way from phase to
phase, and `step` checks each of its own moves against it; the diagram in the documentation is drawn from it.

This module does not know HTTP, stores or handlers. It has no randomness either: how long to wait is an effect with a
number of tries in it, and the performer rolls the dice.
"""

from collections.abc import Callable
from typing import Any, Literal

import attrs
from msgspec.structs import replace

from windlass.informers.phases import (
    PHASES,
    REFLECTOR,
    Cause,
    Failure,
    Idle,
    Listing,
    Memory,
    Opening,
    State,
    Stopped,
    Streaming,
    Waiting,
    Watching,
    initial_state,
    phase,
    wake_at,
)
from windlass.informers.signals import (
    Advance,
    BookmarkSeen,
    Commit,
    Discard,
    Effect,
    ErrorSeen,
    Event,
    FetchPage,
    ItemsRead,
    ListFailed,
    ObjectSeen,
    OpenWatch,
    PageRead,
    Publish,
    Report,
    Skipped,
    Stage,
    Start,
    Stop,
    StreamEnded,
    Unstage,
    Wait,
    Waited,
    WatchOpened,
    WatchRefused,
)
from windlass.statemachine.errors import IllegalTransition

__all__ = ("REFLECTOR", "initial_state", "phase", "step", "wake_at")

_Move = tuple[str, State, tuple[Effect, ...]]


def step(state: State, event: Event, now: float) -> tuple[State, tuple[Effect, ...]]:
    """The next state and what to do, in order.

    Raises IllegalTransition, having changed nothing, for an event that cannot happen in this state.
    """
    decide = _DECISIONS.get((type(state), type(event)))
    if decide is None:
        raise IllegalTransition(f"reflector: {type(event).__name__} cannot happen while {phase(state)}")
    label, after, effects = decide(state, event, now)
    if REFLECTOR.next(phase(state), label) != phase(after):
        raise IllegalTransition(f"reflector: {label!r} leads from {phase(state)} to {phase(after)}: not in the table")
    return after, effects


def _start(state: Idle, _: Start, now: float) -> _Move:
    return _list(state.memory, now, "start", "start with a streaming list")


def _stop(_state: State, _event: Stop, _now: float) -> _Move:
    return "stop", Stopped(), (Discard(),)


def _list(memory: Memory, now: float, label: str, streaming_label: str) -> _Move:
    """Begin a list of the kind that the server offers."""
    if memory.streams:
        version = "" if memory.consistent else memory.version
        return (streaming_label, _streaming(memory, version, now), (OpenWatch(version, initial_events=True),))
    after, effect = _listing(memory)
    return label, after, (effect,)


def _streaming(memory: Memory, version: str, now: float) -> Streaming:
    policy = memory.policy
    return Streaming(memory, version, now + policy.streaming_seconds, now + policy.streaming_silence_seconds)


def _listing(memory: Memory) -> tuple[Listing, FetchPage]:
    version = "" if memory.consistent else memory.version or "0"
    # A limit makes the server read from etcd instead of its watch cache, unless the version is "0", where the limit is
    # ignored, or "", where the read is a consistent one anyway (R3).
    limit = memory.policy.page_size if version in ("", "0") or memory.paged else 0
    return Listing(memory, version), FetchPage(version, limit)


def _failed(memory: Memory, now: float) -> Memory:
    # Two quiet minutes forgive everything; one good answer does not (R14).
    quiet = now - memory.failed_at >= memory.policy.quiet_seconds
    return attrs.evolve(memory, failures=1 if quiet else memory.failures + 1, failed_at=now)


def _wait(memory: Memory, resume: Literal["list", "watch"], failure: Failure | None, now: float) -> tuple[State, Wait]:
    memory = _failed(memory, now)
    seconds = failure.retry_after_seconds if failure is not None else 0.0
    return Waiting(memory, resume), Wait(memory.failures - 1, seconds)


def _items(state: Listing, event: ItemsRead, _now: float) -> _Move:
    return "page", state, (Stage(event.objects),)


def _page(state: Listing, event: PageRead, _now: float) -> _Move:
    memory = state.memory
    if event.continue_token:
        # With a version in the request the watch cache would have sent everything at once.
        paged = memory.paged or state.version not in ("",)
        limit = memory.policy.page_size
        following = attrs.evolve(state, memory=attrs.evolve(memory, paged=paged), pages=state.pages + 1)
        return "page", following, (Stage(event.objects), FetchPage("", limit, event.continue_token))
    memory = attrs.evolve(memory, version=event.version, consistent=False, erring_since=None)
    return "last page", Opening(memory), (Stage(event.objects), Commit(event.version), OpenWatch(event.version))


def _list_failed(state: Listing, event: ListFailed, now: float) -> _Move:
    failure, memory = event.failure, state.memory
    if failure.cause is Cause.EXPIRED and state.pages and not state.whole:
        # The token is too old: one full list, not another race against the server's memory (R4).
        retry = Listing(memory, state.version, whole=True)
        effects = (Discard(), Report("relist", failure), FetchPage(state.version, 0))
        return "version or token expired", retry, effects
    if failure.cause in (Cause.EXPIRED, Cause.TOO_LARGE) and state.version != "":
        consistent, effect = _listing(attrs.evolve(memory, consistent=True))
        return "version or token expired", consistent, (Discard(), Report("relist", failure), effect)
    waiting, wait = _wait(memory, "list", failure, now)
    return "failed", waiting, (Discard(), Report("relist", failure), wait)


def _stream_opened(state: Streaming, _: WatchOpened, now: float) -> _Move:
    return "object", _heard(state, now), ()


def _heard(state: Streaming, now: float) -> Streaming:
    return replace(state, silent_at=now + state.memory.policy.streaming_silence_seconds)


def _stream_object(state: Streaming, event: ObjectSeen, now: float) -> _Move:
    effect = Unstage(event.object) if event.type == "DELETED" else Stage((event.object,))
    return "object", _heard(state, now), (effect,)


def _stream_skip(state: Streaming, _: Skipped, now: float) -> _Move:
    return "object", _heard(state, now), ()


def _stream_bookmark(state: Streaming, event: BookmarkSeen, now: float) -> _Move:
    if not event.initial_end:
        return "object", _heard(state, now), ()
    memory = attrs.evolve(state.memory, version=event.version, consistent=False, strikes=0, erring_since=None)
    return "initial events end", Watching(memory, event.version, now, seen=1), (Commit(event.version),)


def _stream_failed(state: Streaming, event: WatchRefused | ErrorSeen | StreamEnded, now: float) -> _Move:
    failure, memory = event.failure, state.memory
    if failure is not None and failure.cause is Cause.UNSUPPORTED:
        return _without_streaming(memory, failure)
    if failure is not None and failure.cause in (Cause.EXPIRED, Cause.TOO_LARGE) and state.version != "":
        memory = attrs.evolve(memory, consistent=True)
        effects = (Discard(), Report("relist", failure), OpenWatch("", initial_events=True))
        return "version expired", _streaming(memory, "", now), effects
    if isinstance(event, StreamEnded):
        memory = attrs.evolve(memory, strikes=memory.strikes + 1)
    waiting, wait = _wait(memory, "list", failure, now)
    return "failed", waiting, (Discard(), Report("relist", failure), wait)


def _stream_late(state: Streaming, _: Waited, _now: float) -> _Move:
    return _without_streaming(state.memory, Failure(Cause.UNSUPPORTED, "no end of the initial events in time"))


def _without_streaming(memory: Memory, failure: Failure) -> _Move:
    memory = attrs.evolve(memory, policy=attrs.evolve(memory.policy, streaming=False))
    listing, effect = _listing(memory)
    return "not offered", listing, (Discard(), Report("no_streaming", failure), effect)


def _opened(state: Opening, _: WatchOpened, now: float) -> _Move:
    version = state.memory.version
    return "opened", Watching(state.memory, version, now, replaying=version in ("", "0")), ()


def _refused(state: Opening, event: WatchRefused, now: float) -> _Move:
    failure, memory = event.failure, state.memory
    if failure.cause in (Cause.EXPIRED, Cause.TOO_LARGE):
        return _expired(attrs.evolve(memory, consistent=failure.cause is Cause.TOO_LARGE), failure, now, "refused")
    # What may pass by itself is met by asking for the same watch again, without a list (R13).
    passing = failure.cause in (Cause.CONNECTION, Cause.THROTTLED, Cause.SERVER, Cause.MALFORMED)
    waiting, wait = _wait(memory, "watch" if passing else "list", failure, now)
    return "refused", waiting, (Report("rewatch" if passing else "relist", failure), wait)


def _expired(memory: Memory, failure: Failure, now: float, label: str) -> _Move:
    """List again: at once for the first time in a while, with growing delays when it happens again and again."""
    after = _failed(memory, now)
    if after.failures > 1:
        wait = Wait(after.failures - 2, failure.retry_after_seconds)
        return label, Waiting(after, "list"), (Report("relist", failure), wait)
    name, state, effects = _list(after, now, "version expired", "version expired, streaming lists")
    return name, state, (Report("relist", failure), *effects)


def _object(state: Watching, event: ObjectSeen, _now: float) -> _Move:
    replaying = state.replaying and event.type == "ADDED"
    version = state.version if replaying else event.object.resource_version or state.version
    after = Watching(state.memory, version, state.opened_at, state.seen + 1, replaying)
    return "object or bookmark", after, (Publish(event.type, event.object),)


def _bookmark(state: Watching, event: BookmarkSeen, _now: float) -> _Move:
    after = replace(state, version=event.version or state.version, replaying=False)
    return "object or bookmark", after, (Advance(after.version),)


def _skip(state: Watching, event: Skipped, _now: float) -> _Move:
    version = event.version if event.version and not state.replaying else state.version
    return "object or bookmark", replace(state, version=version, seen=state.seen + 1), ()


def _error(state: Watching, event: ErrorSeen, now: float) -> _Move:
    failure, memory = event.failure, attrs.evolve(state.memory, version=state.version)
    if failure.cause in (Cause.EXPIRED, Cause.TOO_LARGE):
        # The version that was too old for a watch may be good for a list: ask for it first (R2).
        return _expired(memory, failure, now, "failed")
    resume: Literal["list", "watch"] = "watch" if failure.cause is Cause.THROTTLED else "list"
    if failure.cause is Cause.SERVER:
        since = memory.erring_since if memory.erring_since is not None else now
        resume = "watch" if now - since < memory.policy.internal_error_seconds else "list"
        memory = attrs.evolve(memory, erring_since=since if resume == "watch" else None)
    waiting, wait = _wait(memory, resume, failure, now)
    return "failed", waiting, (Report("rewatch" if resume == "watch" else "relist", failure), wait)


def _ended(state: Watching, event: StreamEnded, now: float) -> _Move:
    failure, memory = event.failure, attrs.evolve(state.memory, version=state.version)
    barren = state.seen == 0 and now - state.opened_at < memory.policy.short_watch_seconds
    malformed = failure is not None and failure.cause is Cause.MALFORMED
    if barren or malformed:
        # At once it would be a hot loop (R19).
        waiting, wait = _wait(memory, "watch", failure, now)
        return "failed", waiting, (Report("rewatch", failure), wait)
    return "stream ended", Opening(memory), (Report("rewatch", failure), OpenWatch(memory.version))


def _waited(state: Waiting, _: Waited, now: float) -> _Move:
    if state.resume == "watch":
        return "watch again", Opening(state.memory), (OpenWatch(state.memory.version),)
    return _list(state.memory, now, "list again", "list again, streaming lists")


_DECISIONS: dict[tuple[type, type], Callable[[Any, Any, float], _Move]] = {
    (Idle, Start): _start,
    (Listing, ItemsRead): _items,
    (Listing, PageRead): _page,
    (Listing, ListFailed): _list_failed,
    (Streaming, WatchOpened): _stream_opened,
    (Streaming, ObjectSeen): _stream_object,
    (Streaming, Skipped): _stream_skip,
    (Streaming, BookmarkSeen): _stream_bookmark,
    (Streaming, WatchRefused): _stream_failed,
    (Streaming, ErrorSeen): _stream_failed,
    (Streaming, StreamEnded): _stream_failed,
    (Streaming, Waited): _stream_late,
    (Opening, WatchOpened): _opened,
    (Opening, WatchRefused): _refused,
    (Watching, ObjectSeen): _object,
    (Watching, BookmarkSeen): _bookmark,
    (Watching, Skipped): _skip,
    (Watching, ErrorSeen): _error,
    (Watching, StreamEnded): _ended,
    (Waiting, Waited): _waited,
    **{(state, Stop): _stop for state in PHASES if state is not Stopped},
}
