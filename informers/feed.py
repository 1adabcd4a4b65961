"""A feed keeps one collection flowing into a sink: it performs what the reflector decides, and decides nothing itself.

One task, one request at a time. Between two awaits it never works longer than a slice of bytes takes, so that a list of
any length leaves the loop responsive (A4).
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import attrs

from windlass.informers import requests
from windlass.informers.backoff import Backoff
from windlass.informers.causes import failure_of
from windlass.informers.client import Client, Stream
from windlass.informers.contact import Contact
from windlass.informers.errors import InformersError, ProtocolError
from windlass.informers.framing import LineSplitter, ListSplitter
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.offers import learn_streaming
from windlass.informers.parsing import Parser, Transform
from windlass.informers.phases import Policy, State, Stopped, initial_state, wake_at
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
    OpenWatch,
    PageRead,
    Publish,
    Report,
    Stage,
    Start,
    StreamEnded,
    Unstage,
    Wait,
    Waited,
    WatchOpened,
    WatchRefused,
)
from windlass.informers.slices import Slices

__all__ = ("Feed", "FeedOptions", "Sink")

log = logging.getLogger(__name__)

LIST_SILENCE_SECONDS = 60.0
IDLE_MARGIN_SECONDS = 5.0
_SUCCESSES = (WatchOpened, ItemsRead, PageRead)  # what a stream says afterwards adds nothing
_FAILURES = (ListFailed, WatchRefused, ErrorSeen, StreamEnded)
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

    @property
    def behind(self) -> bool:
        """Whether handlers have to catch up before more is read."""

    async def drain(self) -> None:
        """Let them."""


@attrs.frozen
class FeedOptions:
    """How a collection is followed. The rng and the backoff are what waiting times are made of."""

    policy: Policy = attrs.field(factory=Policy)
    backoff: Backoff = attrs.field(factory=Backoff)
    rng: random.Random = attrs.field(factory=random.Random, repr=False)
    transform: Transform | None = None
    keep_managed_fields: bool = False


class Feed:
    """Follows one resource, in one namespace or all, into a sink. Inert until `run`."""

    def __init__(
        self, client: Client, resource: Resource, *, select: ListOptions, sink: Sink, options: FeedOptions
    ) -> None:
        self.client = client
        self.resource = resource
        self.select = select
        self.state: State = initial_state(options.policy)
        self.contact = Contact()
        self._sink = sink
        self._options = options
        self._parser = Parser(resource, transform=options.transform, keep_managed_fields=options.keep_managed_fields)
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
                    case None:
                        await self._read()
                    case FetchPage():
                        await self._fetch(action)
                    case OpenWatch():
                        await self._open(action)
                    case Wait():
                        await self._wait(action)
                if self._commit is not None:
                    await self._commit_staged()
        finally:
            await self._close()

    async def _probe(self) -> None:
        """Spare us the wait for a bookmark that a server too old for streaming lists will never send (R25)."""
        policy = self._options.policy
        if policy.streaming:
            await learn_streaming(self.client)
            self.state = initial_state(attrs.evolve(policy, streaming=self.client.streaming_lists is not False))

    def _feed(self, event: Event) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(event, _SUCCESSES):
            self.contact.made()
        elif isinstance(event, _FAILURES) and event.failure is not None:
            self.contact.lost(now)
        elif isinstance(event, BookmarkSeen) and not event.initial_end:
            self._idle_seconds = min(self._idle_seconds, BOOKMARKED_IDLE_SECONDS)
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
            objects = self._parser.objects(raws)
        except InformersError as error:
            self._feed(ListFailed(failure_of(error)))
            return
        self._feed(PageRead(objects, tail.resource_version, tail.continue_token))

    async def _items(self, stream: Stream, splitter: ListSplitter) -> AsyncIterator[list[Object]]:
        while chunk := await stream.read(LIST_SILENCE_SECONDS):
            for raws in splitter.feed(chunk):
                yield self._parser.objects(raws)
                await asyncio.sleep(0)

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
            wake = wake_at(self.state)
            if wake is None:  # as most of the time: a timer that never rings costs more than to parse an event
                chunk = await self._stream.read(self._idle_seconds)
            else:
                async with asyncio.timeout_at(wake):
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
        slices = Slices() if len(lines) > 1 else None
        for line in lines:
            if slices is not None and slices.over():
                await slices.rest()
            self._feed(self._parser.event(line))
            if self._commit is not None:
                await self._commit_staged()
            if self._action is not None:
                return  # the reflector has turned away from this stream
        if self._sink.behind:
            await self._sink.drain()

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
