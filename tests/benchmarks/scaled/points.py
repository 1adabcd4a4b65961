"""One point: a process that holds so many objects, and what starting, an event, a write and a relist cost it.

CPU is that of the whole process, memory is resident and in MB of 1e6 bytes, less what the process held before it
began. The controller has its defaults but for 16 workers, and a reconciler that reads its object from the cache.
"""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import attrs
import msgspec
from bench_informers import Stall
from scaled.server import serve

from windlass.benchmarks.shared.meter import memory_mb
from windlass.benchmarks.widgets import WIDGET, name_of
from windlass.controller import Context, Controller, Manager, Request, Settings
from windlass.controller.lease import FencingToken
from windlass.controller.ring import Membership, Ring, owns
from windlass.informers.cluster import Cluster
from windlass.informers.informer import Informer
from windlass.informers.keys import Key

T = TypeVar("T")

EVENTS, WRITES, WORKERS = 10_000, 3_000, 16
SHARDS = (1, 2, 4, 8, 16)
SYNC_TIMEOUT_SECONDS = 600.0
CORES = sorted(os.sched_getaffinity(0))


@attrs.frozen
class Point:
    """What one process of `objects` objects was seen to need: `_cpu_s`, `_us` and `_ms` are CPU, other seconds wall.

    `shard_event_us` is what an event costs one member of a ring of so many; `event_us` is without sharding.
    """

    objects: int
    settled_mb: float
    peak_mb: float
    sync_s: float
    sync_cpu_s: float
    runs_cpu_s: float
    event_us: float
    write_us: float
    relist_s: float
    relist_cpu_s: float
    relist_peak_mb: float
    held_ms: float
    shard_event_us: dict[str, float]


class Shard:
    """A gate as one member of a settled ring has it, without the Leases."""

    def __init__(self, members: int) -> None:
        slots = {f"member-{number}": f"identity-{number}" for number in range(members)}
        self._state = Membership("member-0", "identity-0", 15.0, ring=Ring(1, slots), settled=True)
        self.token = FencingToken(1, 0)

    def admits(self, key: Key) -> bool:
        return owns(self._state, key)

    def ended(self) -> None:
        pass


class Reconciler:
    """Reads its object; writes its status when told a phase. Counts both."""

    def __init__(self) -> None:
        self.phase: str | None = None
        self.runs = self.writes = 0

    async def __call__(self, ctx: Context, request: Request) -> None:
        found = await ctx.get(WIDGET, request.key)
        self.runs += 1
        if found is not None and self.phase is not None and await ctx.status(found, phase=self.phase):
            self.writes += 1


class Process:
    """The manager under measurement, and the pipe to its server."""

    def __init__(self, controller: Controller, informer: Informer, reconciler: Reconciler, orders: Connection) -> None:
        self.controller = controller
        self.informer = informer
        self.reconciler = reconciler
        self._orders = orders

    async def events(self, count: int) -> float:
        """CPU seconds of as many events, each of another object, until nothing is left to do."""
        informer, began = self.informer, time.process_time()
        aim = informer.statistics().events["updated"] + count
        self._orders.send(("events", count))
        await self.until(lambda: informer.statistics().events["updated"] >= aim and self.idle())
        return time.process_time() - began

    async def relist(self) -> float:
        """CPU seconds until the whole collection has been replaced, in which one object is another."""
        began = time.process_time()
        before = self._first_version()
        self._orders.send(("expire",))
        await self.until(lambda: self._first_version() != before and not self._pending() and self.idle())
        return time.process_time() - began

    async def write(self, count: int) -> float:
        """CPU seconds of as many runs that write a status, and of the runs that their echoes cause."""
        began = time.process_time()
        reconciler = self.reconciler
        reconciler.phase, aim = f"written-{reconciler.writes}", reconciler.writes + count
        await self.events(count)
        await self.until(lambda: reconciler.writes >= aim and not self._pending() and self.idle())
        reconciler.phase = None
        return time.process_time() - began

    def idle(self) -> bool:
        return not len(self.controller.queue) and not self.controller.runs

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110  # none of these has an event
            await asyncio.sleep(0.005)

    def _pending(self) -> int:
        return self.informer.statistics().pending

    def _first_version(self) -> str:
        first = self.informer.store.get(Key("ns-0", name_of(0)))
        assert first is not None
        return first.resource_version


async def measure(count: int, port: int, orders: Connection) -> Point:
    """In a fresh process, and on a core that the server does not use."""
    reconciler = Reconciler()
    settings = Settings(sync_timeout_seconds=SYNC_TIMEOUT_SECONDS)
    manager = Manager(kinds=[WIDGET], cluster=Cluster(f"http://127.0.0.1:{port}"), settings=settings)
    controller = manager.controller(reconciler, for_=WIDGET, workers=WORKERS, predicates=(), name="scale")
    before = settled_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    async with manager:
        sync_s, sync_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        process = Process(controller, manager.cache.informer(WIDGET), reconciler, orders)
        await process.until(lambda: reconciler.runs >= count and process.idle())
        runs_cpu_s = time.process_time() - cpu - sync_cpu_s
        peak_mb, settled = memory_mb("VmHWM") - before, settled_mb() - before
        events = min(count, EVENTS)
        shards = {}
        for members in SHARDS:
            controller.open(Shard(members))
            await process.events(events)  # whose key it is is worked out once and then remembered
            shards[str(members)] = await process.events(events) / events * 1e6
        controller.open()
        event_us = await process.events(events) / events * 1e6
        writes = min(count, WRITES)
        write_us = await process.write(writes) / writes * 1e6
        reset_peak()
        stall = Stall()
        watching = asyncio.create_task(stall.run())
        wall = time.perf_counter()
        relist_cpu_s = await process.relist()
        relist_s = time.perf_counter() - wall
        watching.cancel()
        return Point(
            objects=count,
            settled_mb=settled,
            peak_mb=peak_mb,
            sync_s=sync_s,
            sync_cpu_s=sync_cpu_s,
            runs_cpu_s=runs_cpu_s,
            event_us=event_us,
            write_us=write_us,
            relist_s=relist_s,
            relist_cpu_s=relist_cpu_s,
            relist_peak_mb=memory_mb("VmHWM") - before,
            held_ms=stall.longest_held * 1e3,
            shard_event_us=shards,
        )


def settled_mb() -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return memory_mb("VmRSS")


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def point(count: int) -> Point:
    """Measure it."""
    return beside_server(count, measure, Point)


def beside_server(count: int, work: Callable[..., Coroutine[Any, Any, T]], kind: type[T], *words: int) -> T:
    """What `work(count, port, orders, *words)` returns in a fresh process, beside a server in another."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(count, CORES[0], there), daemon=True)
    server.start()
    try:
        process = spawn.Process(target=_answer, args=(theirs, work, (count, here.recv(), here, *words)), daemon=True)
        process.start()
        theirs.close()
        found = msgspec.json.decode(ours.recv_bytes(), type=kind)
        process.join()
        return found
    finally:
        server.terminate()
        server.join()


def _answer(pipe: Connection, work: Callable[..., Coroutine[Any, Any, object]], words: tuple[object, ...]) -> None:
    os.sched_setaffinity(0, {CORES[-1]})
    pipe.send_bytes(msgspec.json.encode(asyncio.run(work(*words))))
