"""A feed keeps one collection flowing into a sink: it performs what the reflector decides, and decides nothing itself.

One task, one request at a time. Between two awaits it never works longer than a slice of bytes takes, so that a list of
any length leaves the loop responsive (A4).
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import attrs
import msgspec

from windlass.informers import requests
from windlass.informers.backoff import Backoff
from windlass.informers.client import Client, Stream
from windlass.informers.contact import Contact
from windlass.informers.errors import (
    ApiError,
    ConfigError,
    ConnectionFailed,
    Forbidden,
    Gone,
    InformersError,
    NotFound,
    ProtocolError,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from windlass.informers.framing import LineSplitter, ListSplitter
from windlass.informers.keys import Key
from windlass.informers.objects import Object, WrongKind
from windlass.informers.phases import Cause, Failure, Policy, State, Stopped, initial_state, wake_at
from windlass.informers.reflector import step
from windlass.informers.requests import ListOptions
from windlass.informers.resources import Resource
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
    StreamEnded,
    Unstage,
    Wait,
    Waited,
    WatchOpened,
    WatchRefused,
)

__all__ = ("Feed", "FeedOptions", "Sink", "Transform", "failure_of")

Transform = Callable[[dict[str, Any]], dict[str, Any]]
"""Changes an object on its way in; must be idempotent, may change its argument."""

log = logging.getLogger(__name__)

LIST_SILENCE_SECONDS = 60.0
IDLE_MARGIN_SECONDS = 5.0
PROBE_SECONDS = 5.0
_SUCCESSES = (WatchOpened, ItemsRead, PageRead)  # what a stream says afterwards adds nothing
STREAMING_SINCE = (1, 27)  # the first release that knows sendInitialEvents at all
# A server that sends bookmarks does so about once a minute (W-09); so long without a byte is a dead peer.
BOOKMARKED_IDLE_SECONDS = 150.0


class Sink(Protocol):
    """Where the collection flows to."""

    async def commit(self, objects: dict[Key, Object], version: str) -> None:
        """The whole collection, as of a version."""

    def publish(self, type: str, one: Object) -> None:  # noqa: A002 - the API's own word
        """One change: ADDED, MODIFIED or DELETED."""

    def advance(self, version: str) -> None:
        """No change up to this version."""

    def report(self, report: Report) -> None:
        """Something went wrong, and this is what is done about it."""

    async def drain(self) -> None:
        """Let handlers catch up before more is read."""


@attrs.frozen
class FeedOptions:
    """How a collection is followed. The rng and the backoff are what waiting times are made of."""

    policy: Policy = attrs.field(factory=Policy)
    backoff: Backoff = attrs.field(factory=Backoff)
    rng: random.Random = attrs.field(factory=random.Random, repr=False)
    transform: Transform | None = None
    keep_managed_fields: bool = False


class _Version(msgspec.Struct):
    major: str
    minor: str


class _WatchEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _BookmarkMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMeta


_VERSION = msgspec.json.Decoder(_Version)
_EVENT = msgspec.json.Decoder(_WatchEvent)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError)


class Feed:
    """Follows one resource, in one namespace or all, into a sink. Inert until `run`."""

    def __init__(
        self, client: Client, resource: Resource, *, select: ListOptions, sink: Sink, options: FeedOptions
    ) -> None:
        self.client = client
        self.resource = resource
        self.select = select
        self.state: State = initial_state(
            attrs.evolve(options.policy, streaming=options.policy.streaming and client.streaming_lists is not False)
        )
        self.contact = Contact()
        self._sink = sink
        self._options = options
        # Owned by the one task that runs `run`.
        self._staged: dict[Key, Object] = {}
        self._commit: str | None = None
        self._action: FetchPage | OpenWatch | Wait | None = None
        self._stream: Stream | None = None
        self._closing = AsyncExitStack()
        self._lines = LineSplitter()
        self._idle_seconds = 0.0

    async def run(self) -> None:
        """Follow the collection until cancelled."""
        try:
            await self._probe()
            self._feed(Start())
            while not isinstance(self.state, Stopped):
                action, self._action = self._action, None
                match action:
                    case FetchPage():
                        await self._fetch(action)
                    case OpenWatch():
                        await self._open(action)
                    case Wait():
                        await self._wait(action)
                    case None:
                        await self._read()
                if self._commit is not None:
                    await self._commit_staged()
        finally:
            await self._close()

    async def _probe(self) -> None:
        """Spare us the wait for a bookmark that a server too old for streaming lists will never send (R25)."""
        policy = self._options.policy
        if not policy.streaming or self.client.streaming_lists is not None:
            return
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                answer = (await self.client.send(requests.raw_get("/version"), retries=0)).body
            release = _VERSION.decode(answer)
            offered = (int(release.major), int(release.minor.rstrip("+"))) >= STREAMING_SINCE
        except (InformersError, TimeoutError, ValueError, *_BAD_JSON):
            return  # whatever is wrong will show in the list; a server that does not know itself is tried
        if not offered:
            self.client.streaming_lists = False
            self.state = initial_state(attrs.evolve(policy, streaming=False))

    def _feed(self, event: Event) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(event, _SUCCESSES):
            self.contact.made()
        elif getattr(event, "failure", None) is not None:
            self.contact.lost(now)
        self.state, effects = step(self.state, event, now)
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Publish():
                self._sink.publish(effect.type, effect.object)
            case Stage():
                for one in effect.objects:
                    self._staged[one.key] = one
            case Unstage():
                self._staged.pop(effect.object.key, None)
            case Discard():
                self._staged = {}
            case Commit():
                self._commit = effect.version
            case Advance():
                self._sink.advance(effect.version)
            case Report():
                if effect.what == "no_streaming":
                    self.client.streaming_lists = False
                self._sink.report(effect)
            case FetchPage() | OpenWatch() | Wait():
                self._action = effect

    async def _commit_staged(self) -> None:
        version, self._commit = self._commit, None
        staged, self._staged = self._staged, {}
        await self._sink.commit(staged, version or "")

    async def _fetch(self, page: FetchPage) -> None:
        await self._close()
        request = requests.list_page(
            self.resource,
            self.select,
            resource_version=page.version,
            limit=page.limit,
            continue_token=page.continue_token,
        )
        splitter = ListSplitter()
        try:
            async with self.client.stream(request) as stream:
                async for objects in self._items(stream, splitter):
                    self._feed(ItemsRead(objects))
            raws, tail = splitter.finish()
            objects = self._parse_all(raws)
        except InformersError as error:
            self._feed(ListFailed(failure_of(error)))
            return
        self._feed(PageRead(objects, tail.resource_version, tail.continue_token))

    async def _items(self, stream: Stream, splitter: ListSplitter) -> AsyncIterator[list[Object]]:
        while chunk := await stream.read(LIST_SILENCE_SECONDS):
            for raws in splitter.feed(chunk):
                yield self._parse_all(raws)
                await asyncio.sleep(0)

    def _parse_all(self, raws: list[msgspec.Raw]) -> list[Object]:
        return [self._parse(bytes(raw)) for raw in raws]

    def _parse(self, raw: bytes) -> Object:
        options = self._options
        one = Object.parse(raw, self.resource, keep_managed_fields=options.keep_managed_fields)
        if options.transform is None:
            return one
        try:
            return _transformed(one, options.transform)
        except Exception:
            # One odd object must not end the copy of all; untrimmed it is larger, and not wrong.
            log.exception("%s: the transform failed on %s; the object is kept as it came", self.resource, one.key)
            return one

    async def _open(self, watch: OpenWatch) -> None:
        await self._close()
        policy = self._options.policy
        # A fleet of watches opened together must not end together (R12).
        seconds = int(policy.watch_seconds * (1.0 + self._options.rng.random()))
        self._idle_seconds = seconds + IDLE_MARGIN_SECONDS  # R16
        self._lines = LineSplitter()
        request = requests.watch(
            self.resource,
            self.select,
            resource_version=watch.version,
            timeout_seconds=seconds,
            send_initial_events=watch.initial_events,
        )
        try:
            async with asyncio.timeout_at(wake_at(self.state)):
                self._stream = await self._closing.enter_async_context(self.client.stream(request))
        except TimeoutError:
            self._feed(Waited())
        except InformersError as error:
            self._feed(WatchRefused(failure_of(error)))
        else:
            self._feed(WatchOpened())

    async def _read(self) -> None:
        assert self._stream is not None, "no action and no stream: the reflector has been left without a next step"
        try:
            async with asyncio.timeout_at(wake_at(self.state)):
                chunk = await self._stream.read(self._idle_seconds)
        except TimeoutError:
            self._feed(Waited())
            return
        except InformersError as error:
            self._feed(StreamEnded(failure_of(error)))
            return
        if not chunk:
            self._feed(StreamEnded())
            return
        try:
            lines = self._lines.feed(chunk)
        except ProtocolError as error:
            self._feed(StreamEnded(failure_of(error)))
            return
        for line in lines:
            self._feed(self._event(line))
            if self._commit is not None:
                await self._commit_staged()
            if self._action is not None:
                return  # the reflector has turned away from this stream
        await self._sink.drain()

    def _event(self, line: bytes) -> Event:
        try:
            event = _EVENT.decode(line)
            raw = bytes(event.object)
            if event.type == "BOOKMARK":
                return self._bookmark(raw)
            if event.type == "ERROR":
                return ErrorSeen(failure_of(ApiError.of(0, raw)))
            if event.type not in ("ADDED", "MODIFIED", "DELETED"):
                return Skipped(_version_in(raw))
            return ObjectSeen(event.type, self._parse(raw))
        except WrongKind as error:
            return Skipped(error.resource_version)
        except (*_BAD_JSON, ProtocolError) as error:
            return StreamEnded(
                Failure(Cause.MALFORMED, f"a line of the stream cannot be read: {error}: {line[:120]!r}")
            )

    def _bookmark(self, raw: bytes) -> BookmarkSeen:
        meta = _BOOKMARK.decode(raw).metadata
        marked = (meta.annotations or {}).get("k8s.io/initial-events-end") == "true"
        if not marked:
            self._idle_seconds = min(self._idle_seconds, BOOKMARKED_IDLE_SECONDS)
        return BookmarkSeen(meta.resource_version, marked)

    async def _wait(self, wait: Wait) -> None:
        await self._close()
        delay = self._options.backoff.delay(wait.failures, self._options.rng)
        await asyncio.sleep(max(delay, wait.seconds_min))
        self._feed(Waited())

    async def _close(self) -> None:
        self._stream = None
        await self._closing.aclose()

    def __repr__(self) -> str:
        where = f" {self.select.namespace}" if self.select.namespace else ""
        return f"<Feed {self.resource}{where} {type(self.state).__name__.lower()}>"


def failure_of(error: InformersError) -> Failure:
    """What a reflector needs to know of an error."""
    after = getattr(error, "retry_after_seconds", None) or 0.0
    return Failure(_cause_of(error), str(error), after)


def _cause_of(error: InformersError) -> Cause:
    if isinstance(error, ApiError) and (
        any(cause.reason == "ResourceVersionTooLarge" for cause in error.causes)
        or "Too large resource version" in error.message  # servers before 1.19 send no cause (L-06)
    ):
        return Cause.TOO_LARGE
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    return Cause.UNSUPPORTED


_CAUSES: tuple[tuple[type[InformersError], Cause], ...] = (
    (Gone, Cause.EXPIRED),
    (TooManyRequests, Cause.THROTTLED),
    (ServerError, Cause.SERVER),
    (Unauthorized, Cause.DENIED),
    (Forbidden, Cause.DENIED),
    (NotFound, Cause.MISSING),
    (ConnectionFailed, Cause.CONNECTION),
    (ConfigError, Cause.DENIED),
    (ProtocolError, Cause.MALFORMED),
)


def _version_in(raw: bytes) -> str:
    try:
        return _BOOKMARK.decode(raw).metadata.resource_version
    except _BAD_JSON:
        return ""


def _transformed(one: Object, transform: Transform) -> Object:
    before = one.to_dict()
    identity = {name: before["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    after = transform(before)
    # Without these no store, no watch and no barrier could work, so a transform cannot take them away (R28).
    after["metadata"] = {**after.get("metadata", {}), **{name: value for name, value in identity.items() if value}}
    return Object.parse(msgspec.json.encode(after), keep_managed_fields=True)
