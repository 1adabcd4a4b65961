"""What a copy of many objects costs: CPU, memory at its peak and at rest, and how long the loop was held at a time.

    python tests/benchmarks/bench_informers.py [--objects 100000] [--check]

Objects are custom resources of about 1.5 KB, with managedFields beside that as a server sends them. Each way of listing
is measured in a process of its own, against a plain HTTP server in another, so that neither's memory is the other's.
`stall` is the longest time, by the wall clock, that a task had to wait which wants to run every millisecond; `held` is
the same in CPU time of the loop's own thread, so that other programs on the machine have no part in it. `gc` is what
Python's garbage collector took, and `gc max` its longest run; both are part of CPU and held. `--check` exits 1 when a
bar is missed: peak growth under 4 KB an object, growth at rest under 2.5 KB an object, the loop held for 20 ms at most.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import resource
import sys
import time
from multiprocessing.connection import Connection

import msgspec
from aiohttp import web

from windlass.benchmarks.shared.stall import Stall
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.phases import Policy
from windlass.informers.resources import Resource

WIDGET = Resource("ex.dev", "v1", "Widget", "widgets")
PEAK_MAX, SETTLED_MAX, HELD_MAX = 4096, 2560, 0.020
WAYS = ("list", "pages", "stream")


class Row(msgspec.Struct):
    """One measurement; bytes are per object."""

    way: str
    objects: int
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: float
    settled_bytes: float
    longest_stall_seconds: float
    longest_held_seconds: float
    gc_seconds: float
    longest_gc_seconds: float
    wire_bytes: float


def widget(index: int) -> bytes:
    """One object as a server writes it."""
    managed = {"manager": "kubectl", "operation": "Update", "apiVersion": "ex.dev/v1", "fieldsType": "FieldsV1"}
    metadata = {
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "labels": {"app": "bench", "shard": str(index % 100)},
        "managedFields": [{**managed, "fieldsV1": {"f:spec": {f"f:{letter}": {} for letter in "abcdefgh"}}}],
        "name": f"widget-{index}",
        "namespace": f"ns-{index % 10}",
        "resourceVersion": str(index + 1),
        "uid": f"00000000-0000-4000-8000-{index:012d}",
    }
    spec = {"items": [{"name": f"item-{number}", "value": "v" * 24} for number in range(20)], "pad": "p" * 150}
    status = {"phase": "Ready", "observedGeneration": 1}
    value = {"apiVersion": "ex.dev/v1", "kind": "Widget", "metadata": metadata, "spec": spec, "status": status}
    return json.dumps(value, separators=(",", ":")).encode()


def serve(count: int, pipe: Connection) -> None:
    """The server's process: lists and streams, and nothing else."""
    objects = [widget(index) for index in range(count)]

    async def answer(request: web.Request) -> web.StreamResponse:
        query = request.query
        if request.path.endswith("/version"):
            return web.json_response({"major": "1", "minor": "34"})
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if "watch" in query:
            if "sendInitialEvents" in query:
                for start in range(0, count, 40):
                    part = objects[start : start + 40]
                    await response.write(b"".join(b'{"type":"ADDED","object":%b}\n' % one for one in part))
                mark = {"resourceVersion": str(count), "annotations": {"k8s.io/initial-events-end": "true"}}
                event = {"type": "BOOKMARK", "object": {"kind": "Widget", "metadata": mark}}
                await response.write(json.dumps(event).encode() + b"\n")
            await asyncio.sleep(3600)
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "0"))
        if query.get("resourceVersion") == "0" and not request.path.startswith("/pages/"):
            limit = 0  # as the watch cache does; under /pages/ as a server without one
        part = objects[start : start + limit] if limit else objects[start:]
        more = str(start + limit) if limit and start + limit < count else ""
        await response.write(b'{"apiVersion":"ex.dev/v1","items":[')
        for at in range(0, len(part), 40):
            await response.write((b"," if at else b"") + b",".join(part[at : at + 40]))
        tail = json.dumps({"continue": more, "resourceVersion": str(count)}).encode()
        await response.write(b'],"kind":"WidgetList","metadata":%b}' % tail)
        return response

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.sleep(3600)

    asyncio.run(main())


def memory() -> int:
    """Resident bytes now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def measure(way: str, count: int, port: int) -> Row:
    """Sync one informer and look at what it took."""
    policy = Policy(streaming=way == "stream")
    async with Client(Cluster(f"http://127.0.0.1:{port}/{way}")) as client:
        informer = Informer(client, WIDGET, options=FeedOptions(policy))
        informer.add_handler(lambda change: None, name="bench")
        stall = Stall()
        gc.collect()
        watcher = asyncio.create_task(stall.run())
        collector = Collector()
        gc.callbacks.append(collector)
        before, cpu, wall = memory(), time.process_time(), time.perf_counter()
        running = asyncio.create_task(informer.run())
        await informer.ready()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        gc.callbacks.remove(collector)
        watcher.cancel()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        gc.collect()
        settled = memory()
        assert len(informer.store) == count
        held = informer.store.bytes_held / count
        running.cancel()
        return Row(
            way=way,
            objects=count,
            cpu_seconds=cpu,
            wall_seconds=wall,
            peak_bytes=(peak - before) / count,
            settled_bytes=(settled - before) / count,
            longest_stall_seconds=stall.longest,
            longest_held_seconds=stall.longest_held,
            gc_seconds=collector.seconds,
            longest_gc_seconds=collector.longest,
            wire_bytes=held,
        )


class Collector:
    """Times the garbage collector's runs."""

    seconds = 0.0
    longest = 0.0
    _started = 0.0

    def __call__(self, phase: str, info: object) -> None:
        """What `gc.callbacks` calls before and after a run."""
        if phase == "start":
            self._started = time.thread_time()
            return
        took = time.thread_time() - self._started
        self.seconds += took
        self.longest = max(self.longest, took)


def measured(way: str, count: int, port: int, pipe: Connection) -> None:
    """The measuring process."""
    pipe.send_bytes(msgspec.json.encode(asyncio.run(measure(way, count, port))))


def bench(ways: tuple[str, ...], count: int) -> list[Row]:
    """Every way, each in its own process."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(count, theirs), daemon=True)
    server.start()
    try:
        port = ours.recv()
        rows = []
        for way in ways:
            process = spawn.Process(target=measured, args=(way, count, port, theirs))
            process.start()
            rows.append(msgspec.json.decode(ours.recv_bytes(), type=Row))
            process.join()
        return rows
    finally:
        server.terminate()
        server.join()


def is_over(row: Row) -> bool:
    """Whether a bar is missed."""
    return row.peak_bytes > PEAK_MAX or row.settled_bytes > SETTLED_MAX or row.longest_held_seconds > HELD_MAX


def show(rows: list[Row]) -> None:
    """A table on standard output."""
    heads = ("text B", "CPU s", "wall s", "peak B", "rest B", "stall ms", "held ms", "gc ms", "gc max")
    print(f"{'way':8}{'objects':>9}" + "".join(f"{head:>9}" for head in heads))
    for row in rows:
        print(
            f"{row.way:8}{row.objects:9}{row.wire_bytes:9.0f}{row.cpu_seconds:9.2f}{row.wall_seconds:9.2f}"
            f"{row.peak_bytes:9.0f}{row.settled_bytes:9.0f}{row.longest_stall_seconds * 1000:9.1f}"
            f"{row.longest_held_seconds * 1000:9.1f}{row.gc_seconds * 1000:9.1f}{row.longest_gc_seconds * 1000:9.1f}"
        )


def main() -> int:
    """Parse, measure, print; 1 when `--check` finds a bar missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    rows = bench(WAYS, arguments.objects)
    show(rows)
    missed = [row.way for row in rows if is_over(row)]
    if arguments.check and missed:
        bars = f"{PEAK_MAX} B at the peak, {SETTLED_MAX} B at rest, {HELD_MAX * 1000:.0f} ms held"
        print(f"over the bar of {bars}: {', '.join(missed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
