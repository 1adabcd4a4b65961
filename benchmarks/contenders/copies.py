"""Copies of the widgets as Windlass keeps them: one, two hundred in one process, and one that has to be listed anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from windlass.benchmarks.shared.meter import IDLE_SECONDS, Meter, connections
from windlass.benchmarks.shared.stall import SETTLE_SECONDS, Stall
from windlass.benchmarks.shared.task import Task
from windlass.benchmarks.widgets import WIDGET, selections
from windlass.informers.api import Api
from windlass.informers.client import Client, Stream
from windlass.informers.cluster import Cluster
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.phases import Policy
from windlass.informers.requests import PatchType, Request
from windlass.informers.store import Change, Updated
from windlass.informers.wire import Onward, Source

__all__ = ("MODES", "hold", "hold_many", "relist")

_EXPIRED: Final = (
    b'{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",'
    b'"message":"too old resource version","reason":"Expired","code":410}}\n'
)


def _trimmed(value: dict[str, Any]) -> dict[str, Any]:
    """What an operator does not read is not kept: here all of the spec but one field."""
    value["spec"] = {"pad": value.get("spec", {}).get("pad", "")}
    return value


MODES: Final[dict[str, tuple[FeedOptions, bool]]] = {
    "": (FeedOptions(), False),
    "uvloop": (FeedOptions(), False),
    "full": (FeedOptions(keep_managed_fields=True), False),
    "trimmed": (FeedOptions(transform=_trimmed), False),
    "metadata": (FeedOptions(), True),
    "list": (FeedOptions(Policy(streaming=False)), False),
}
"""By the mode of a task: how the collection is followed, and whether it is of metadata alone."""


async def hold(task: Task, cluster: Cluster) -> None:
    """The scenario `sync`."""
    options, metadata_only = MODES[task.mode]
    meter = Meter()
    async with Client(cluster) as client:
        informer = Informer(client, WIDGET, options=options, metadata_only=metadata_only)
        running = asyncio.create_task(informer.run())
        await informer.ready()
        meter.stop()
        meter.report(held=len(informer.store), text_bytes=informer.store.bytes_held / max(1, task.objects))
        running.cancel()


async def hold_many(cluster: Cluster) -> None:
    """The scenario `informers`: each of them has a watch of its own."""
    meter = Meter()
    async with Client(cluster) as client, asyncio.TaskGroup() as group:
        informers = [Informer(client, WIDGET, labels=labels) for labels in selections()]
        running = [group.create_task(one.run()) for one in informers]
        for one in informers:
            await one.ready()
        meter.stop()
        idle = await meter.idle_cpu_ms(IDLE_SECONDS)
        held = sum(len(one.store) for one in informers)
        meter.report(held=held, informers=len(informers), connections=connections(), idle_cpu_ms_a_second=idle)
        for watch in running:
            watch.cancel()


async def relist(task: Task, cluster: Cluster) -> None:
    """The scenario `relist`: one update is missed, the version of the watch expires, and the new list brings it."""
    meter = Meter()
    expiry = _Expiry()
    changed = asyncio.Event()
    before: set[str] = set()

    def noted(change: Change) -> None:
        if before and isinstance(change, Updated) and change.new.resource_version not in before:
            changed.set()

    async with Client(attrs.evolve(cluster, wire=expiry)) as client, Client(cluster) as outside:
        options, _ = MODES[task.mode]
        informer = Informer(client, WIDGET, options=options)
        informer.add_handler(noted, name="bench")
        running = asyncio.create_task(informer.run())
        await informer.ready()
        while not expiry.watches:  # noqa: ASYNC110  # a list comes before its watch
            await asyncio.sleep(0.01)
        expiry.mute()
        before.update(one.resource_version for one in informer.store.list())
        one = informer.store.list()[0]
        patch = {"spec": {"pad": task.value}}
        await Api(outside).patch(WIDGET, one.key, patch, type=PatchType.MERGE, field_manager="bench")
        stall = Stall()
        watching = asyncio.create_task(stall.run())
        meter.again()
        expiry.expire()
        await changed.wait()
        meter.stop()
        await asyncio.sleep(SETTLE_SECONDS)  # the last hold, too, is to be noticed
        watching.cancel()
        meter.report(
            held=len(informer.store),
            relists=sum(informer.statistics().relists.values()),
            longest_stall_ms=stall.longest * 1e3,
            longest_held_ms=stall.longest_held * 1e3,
        )
        running.cancel()


class _Expiry:
    """Stands before the server, and can have it say nothing more and then forget the version that was watched."""

    def __init__(self) -> None:
        self.watches = 0
        self._muted = asyncio.Event()
        self._expired = asyncio.Event()

    def mute(self) -> None:
        """Nothing that the server sends from here on arrives."""
        self._muted.set()

    def expire(self) -> None:
        """Say what a server says that has compacted its history."""
        self._expired.set()

    @asynccontextmanager
    async def carry(self, request: Request, onward: Onward) -> AsyncIterator[Stream]:
        """The answer, and for the first watches what was told."""
        async with onward() as stream:
            if "watch=" not in request.target or self._expired.is_set():
                yield stream
                return
            self.watches += 1
            yield attrs.evolve(stream, content=_Expiring(stream.content, self._muted, self._expired))


@attrs.define
class _Expiring:
    """Gives what the server sends until it is muted, and one error once it has expired."""

    content: Source
    muted: asyncio.Event
    expired: asyncio.Event
    over: bool = False

    async def read(self, silence_seconds: float) -> bytes:
        """The next bytes."""
        if self.over:
            return b""
        muted = asyncio.ensure_future(self.muted.wait())
        reading = asyncio.ensure_future(self.content.read(silence_seconds))
        try:
            await asyncio.wait((muted, reading), return_when=asyncio.FIRST_COMPLETED)
            if not muted.done():
                return reading.result()
            await self.expired.wait()
        finally:
            muted.cancel()
            reading.cancel()
        self.over = True
        return _EXPIRED
