"""What a copy does beside the network: a list becomes a store, an event reaches a handler.

Both sides are given the same bytes in the same pieces. The floor decodes what cannot be left undecoded and keeps each
object's bytes under its key; no slices, no replacement in one step, no barrier, no error handled.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from windlass.benchmarks.widgets import GROUP, WIDGET, widget
from windlass.informers.client import Client, Stream
from windlass.informers.cluster import Cluster
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.phases import Policy
from windlass.informers.store import Change

Slice = Callable[[], Coroutine[Any, Any, None]]
"""What it does before it returns is preparation; what it returns is measured."""

OBJECTS, EVENTS = 300, 300
LIST_PIECE, EVENTS_A_PIECE = 2**16, 10


def body(index: int, version: int) -> dict[str, Any]:
    """A widget as a server sends it: what it adds is metadata, and who owns which field."""
    value = widget(index, f"ns-{index % 10}")
    fields = {"f:spec": {f"f:{letter}": {} for letter in "abcdefgh"}}
    manager = {"manager": "bench", "operation": "Update", "apiVersion": f"{GROUP}/v1", "fieldsType": "FieldsV1"}
    value["metadata"] |= {
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "managedFields": [{**manager, "fieldsV1": fields}],
        "resourceVersion": str(version),
        "uid": f"00000000-0000-4000-8000-{index:012d}",
    }
    value["status"] = {"phase": "Ready", "observedGeneration": 1}
    return value


def list_pieces() -> list[bytes]:
    """A whole list, as it comes from a socket."""
    metadata = {"resourceVersion": str(OBJECTS)}
    items = [body(index, index + 1) for index in range(OBJECTS)]
    kind = {"apiVersion": f"{GROUP}/v1", "kind": "WidgetList"}
    document = msgspec.json.encode({**kind, "metadata": metadata, "items": items})
    return [document[start : start + LIST_PIECE] for start in range(0, len(document), LIST_PIECE)]


def event_pieces(first_version: int) -> list[bytes]:
    """An update of each of the first EVENTS widgets, some to a piece."""
    lines = [
        msgspec.json.encode({"type": "MODIFIED", "object": body(index % OBJECTS, first_version + index)}) + b"\n"
        for index in range(EVENTS)
    ]
    return [b"".join(lines[start : start + EVENTS_A_PIECE]) for start in range(0, EVENTS, EVENTS_A_PIECE)]


class Pieces:
    """A source of bytes in memory: what was put comes out, a piece at a time. `end` is what follows the last."""

    def __init__(self, *, ends: bool) -> None:
        self._pieces: deque[bytes] = deque()
        self._ends = ends
        self._more = asyncio.Event()

    def put(self, pieces: list[bytes]) -> None:
        self._pieces.extend(pieces)
        self._more.set()

    async def read(self, silence_seconds: float) -> bytes:
        while not self._pieces:
            if self._ends:
                return b""
            self._more.clear()
            await self._more.wait()
        return self._pieces.popleft()


class Memory:
    """A wire that is the server: one list, and a watch that says what is put into `events`."""

    def __init__(self, listed: list[bytes]) -> None:
        self._listed = listed
        self.events = Pieces(ends=False)

    @asynccontextmanager
    async def carry(self, request: Any, onward: Any) -> AsyncIterator[Stream]:
        del onward
        source = self.events
        if "watch" not in dict(request.query):
            source = Pieces(ends=True)
            source.put(self._listed)
        yield Stream(200, {}, request, source, "memory")


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str


class _Head(msgspec.Struct, gc=False):
    metadata: _Meta


class _List(msgspec.Struct):
    items: list[msgspec.Raw]


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_HEAD, _LIST, _EVENT = (msgspec.json.Decoder(one) for one in (_Head, _List, _Event))


def kept(store: dict[tuple[str, str], bytes], raw: msgspec.Raw) -> tuple[str, str]:
    """The floor's store takes an object."""
    data = bytes(raw)
    metadata = _HEAD.decode(data).metadata
    key = metadata.namespace, metadata.name
    store[key] = data
    return key


@asynccontextmanager
async def listing() -> AsyncIterator[tuple[Slice, Slice]]:
    """A whole list, from bytes to a store that is complete."""
    pieces = list_pieces()
    async with Client(Cluster("http://memory", wire=Memory(pieces))) as client:

        async def ours() -> None:
            informer = Informer(client, WIDGET, options=FeedOptions(Policy(streaming=False)))
            running = asyncio.create_task(informer.run())
            await informer.ready()
            assert len(informer.store) == OBJECTS
            running.cancel()
            await asyncio.wait([running])

        async def floor() -> None:
            store: dict[tuple[str, str], bytes] = {}
            for raw in _LIST.decode(b"".join(pieces)).items:
                kept(store, raw)
            assert len(store) == OBJECTS

        yield ours, floor


@asynccontextmanager
async def watching() -> AsyncIterator[tuple[Slice, Slice]]:
    """Events, from bytes to a handler that has been told of the last."""
    memory = Memory(list_pieces())
    batches = _batches()
    told = Told()
    async with Client(Cluster("http://memory", wire=memory)) as client:
        informer = Informer(client, WIDGET, options=FeedOptions(Policy(streaming=False)))
        informer.add_handler(told.change, name="guard")
        running = asyncio.create_task(informer.run())
        await informer.ready()
        await told.reach(OBJECTS)

        async def followed(pieces: list[bytes]) -> None:
            aim = told.count + EVENTS
            memory.events.put(pieces)
            await told.reach(aim)

        store: dict[tuple[str, str], bytes] = {}
        heard = Told()

        async def split(pieces: list[bytes]) -> None:
            rest = b""
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    heard.change(kept(store, _EVENT.decode(line).object))

        yield lambda: followed(next(batches)), lambda: split(next(batches))
        running.cancel()
        await asyncio.wait([running])


class Told:
    """A handler that counts."""

    def __init__(self) -> None:
        self.count = 0
        self._aim = 0
        self._reached = asyncio.Event()

    def change(self, change: Change | tuple[str, str]) -> None:
        del change
        self.count += 1
        if self.count == self._aim:
            self._reached.set()

    async def reach(self, aim: int) -> None:
        self._aim = aim
        self._reached.clear()
        if self.count < aim:
            await self._reached.wait()


def _batches() -> Iterator[list[bytes]]:
    """Without end; each newer than the one before, so that no event is old news."""
    version = OBJECTS + 1
    while True:
        yield event_pieces(version)
        version += EVENTS
