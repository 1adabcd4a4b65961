"""What a copy of many objects costs: CPU, memory at its peak and at rest, and the longest time the loop was held.

    python tests/benchmarks/bench_informers.py [--objects 100000] [--check]

Objects are custom resources of about 1.5 KB, with managedFields beside that as a server sends them. Each way of listing
is measured in a process of its own, against a plain HTTP server in another, so that neither's memory is the other's.
`--check` exits 1 when a bar is missed: peak growth under 4 KB an object, growth at rest under 2.5 KB an object.
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

from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.phases import Policy
from windlass.informers.resources import Resource

WIDGET = Resource("ex.dev", "v1", "Widget", "widgets")
PEAK_MAX, SETTLED_MAX = 4096, 2560
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
        watcher = asyncio.create_task(stall.run())
        gc.collect()
        before, cpu, wall = memory(), time.process_time(), time.perf_counter()
        running = asyncio.create_task(informer.run())
        await informer.ready()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        watcher.cancel()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        gc.collect()
        settled = memory()
        assert len(informer.store) == count
        held = informer.store.bytes_held / count
        running.cancel()
        return Row(way, count, cpu, wall, (peak - before) / count, (settled - before) / count, stall.longest, held)


class Stall:
    """The longest time that a task which only wants to run every millisecond had to wait."""

    longest = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.001
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, loop.time() - due)


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


def show(rows: list[Row]) -> None:
    """A table on standard output."""
    print(f"{'way':8}{'objects':>9}{'text B':>8}{'CPU s':>8}{'wall s':>8}{'peak B':>8}{'rest B':>8}{'stall ms':>10}")
    for row in rows:
        print(
            f"{row.way:8}{row.objects:9}{row.wire_bytes:8.0f}{row.cpu_seconds:8.2f}{row.wall_seconds:8.2f}"
            f"{row.peak_bytes:8.0f}{row.settled_bytes:8.0f}{row.longest_stall_seconds * 1000:10.1f}"
        )


def main() -> int:
    """Parse, measure, print; 1 when `--check` finds a bar missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    rows = bench(WAYS, arguments.objects)
    show(rows)
    missed = [row.way for row in rows if row.peak_bytes > PEAK_MAX or row.settled_bytes > SETTLED_MAX]
    if arguments.check and missed:
        print(f"over the bar of {PEAK_MAX} B at the peak and {SETTLED_MAX} B at rest: {', '.join(missed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
