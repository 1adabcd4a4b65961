"""The floor: bare aiohttp and msgspec doing only what cannot be left out, with no error handled.

One list by pages as the server sends it, one watch, objects kept as bytes under their keys, a queue of keys without
duplicates, and one request for each status patch. Everything that Windlass does beside that is its price.
"""

import asyncio
import ssl
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from windlass.benchmarks.contenders import bare
from windlass.benchmarks.shared.meter import IDLE_SECONDS, Meter, connections
from windlass.benchmarks.shared.stall import SETTLE_SECONDS, Stall
from windlass.benchmarks.shared.task import Task, read_task
from windlass.benchmarks.widgets import name_of, selections
from windlass.informers.cluster import Cluster

__all__ = ("Floor", "main")

_PATH = "/apis/bench.windlass.dev/v1/widgets"
_CHUNK = 1 << 18
_PASSES = 5


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str
    resourceVersion: str  # noqa: N815  # the field's own name


class _Status(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""


class _Spec(msgspec.Struct, frozen=True, gc=False):
    stamp: str = ""


class _Head(msgspec.Struct, gc=False):
    metadata: _Meta
    status: _Status = _Status()
    spec: _Spec = _Spec()


class _ListMeta(msgspec.Struct):
    resourceVersion: str  # noqa: N815


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw]


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_HEAD = msgspec.json.Decoder(_Head)
_LIST = msgspec.json.Decoder(_List)
_EVENT = msgspec.json.Decoder(_Event)
_Key = tuple[str, str]


class Floor:
    """One copy, one queue, and as many workers as asked for."""

    def __init__(self, task: Task, cluster: Cluster, session: aiohttp.ClientSession) -> None:
        self.task = task
        self.cluster = cluster
        self.session = session
        self.store: dict[_Key, bytes] = {}
        self.waiting: deque[_Key] = deque()
        self.known: set[_Key] = set()
        self.idle: list[asyncio.Future[None]] = []
        self.over = asyncio.Event()
        self.done = 0
        self.counting = task.scenario == "reconcile"
        self.since = time.monotonic_ns()
        self.latencies: list[float] = []
        self.body = msgspec.json.encode({"status": {"phase": task.value}})
        self.select = ""

    async def list(self) -> str:
        """Fill the store; the version to watch from."""
        async with self.session.get(f"{self.cluster.server}{_PATH}?resourceVersion=0{self.select}") as response:
            found = _LIST.decode(await response.read())
        for raw in found.items:
            body = bytes(raw)
            meta = _HEAD.decode(body).metadata
            self.store[meta.namespace, meta.name] = body
        return found.metadata.resourceVersion

    async def watch(self, version: str) -> None:
        """Keep the store, and put what changes into the queue."""
        url = f"{self.cluster.server}{_PATH}?watch=1&resourceVersion={version}{self.select}"
        async with self.session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    body = bytes(_EVENT.decode(line).object)
                    meta = _HEAD.decode(body).metadata
                    key = meta.namespace, meta.name
                    self.store[key] = body
                    self.add(key)

    def add(self, key: _Key) -> None:
        """Put a key in line, unless it stands there."""
        if key in self.known:
            return
        self.known.add(key)
        self.waiting.append(key)
        if self.idle:
            self.idle.pop().set_result(None)

    async def work(self) -> None:
        """One worker."""
        while True:
            while not self.waiting:
                future = asyncio.get_running_loop().create_future()
                self.idle.append(future)
                await future
            key = self.waiting.popleft()
            self.known.discard(key)
            await self.reconcile(key)

    async def reconcile(self, key: _Key) -> None:
        """What the scenario asks for."""
        head = _HEAD.decode(self.store[key])
        if self.task.scenario == "latency":
            if head.spec.stamp and int(head.spec.stamp) > self.since:
                self.latencies.append((time.monotonic_ns() - int(head.spec.stamp)) / 1e6)
                if len(self.latencies) == self.task.updates:
                    self.over.set()
            return
        if self.task.scenario == "reconcile":
            if head.status.phase == self.task.value:
                return
            url = f"{self.cluster.server}/apis/bench.windlass.dev/v1/namespaces/{key[0]}/widgets/{key[1]}/status"
            headers = {"Content-Type": "application/merge-patch+json"}
            async with self.session.patch(url, data=self.body, headers=headers) as response:
                await response.read()
        if self.counting:
            self.done += 1
            if self.done == self.task.objects:
                self.over.set()


async def _session(cluster: Cluster) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=_trust(cluster), limit=0),
        headers=await _credentials(cluster),
        read_bufsize=_CHUNK,
    )


async def _hold_many(task: Task, cluster: Cluster) -> None:
    meter = Meter()
    async with await _session(cluster) as session:
        floors = [Floor(task, cluster, session) for _ in selections()]
        for one, labels in zip(floors, selections(), strict=True):
            one.select = f"&labelSelector={quote(labels)}"
        versions = await asyncio.gather(*(one.list() for one in floors))
        watching = [asyncio.create_task(one.watch(version)) for one, version in zip(floors, versions, strict=True)]
        meter.stop()
        idle = await meter.idle_cpu_ms(IDLE_SECONDS)
        held = sum(len(one.store) for one in floors)
        meter.report(held=held, informers=len(floors), connections=connections(), idle_cpu_ms_a_second=idle)
        for task_ in watching:
            task_.cancel()


async def _relist(task: Task, cluster: Cluster) -> None:
    meter = Meter()
    async with await _session(cluster) as session:
        floor, again = Floor(task, cluster, session), Floor(task, cluster, session)
        await floor.list()
        stall = Stall()
        watching = asyncio.create_task(stall.run())
        meter.again()
        await again.list()
        floor.store = again.store
        meter.stop()
        await asyncio.sleep(SETTLE_SECONDS)  # the last hold, too, is to be noticed
        watching.cancel()
        held, late = stall.longest_held * 1e3, stall.longest * 1e3
        meter.report(held=len(floor.store), relists=1, longest_stall_ms=late, longest_held_ms=held)


async def _race(task: Task, cluster: Cluster) -> None:
    meter = Meter()
    async with await _session(cluster) as session:
        floor = Floor(task, cluster, session)
        version = await floor.list()
        if task.scenario == "sync":
            meter.stop()
            meter.report(held=len(floor.store))
            return
        if task.scenario != "reconcile":
            floor.counting = True
            meter.start()
        else:
            for key in floor.store:
                floor.add(key)
        watching = asyncio.create_task(floor.watch(version))
        workers = [asyncio.create_task(floor.work()) for _ in range(task.workers)]
        if task.scenario == "noop":
            for key in floor.store:
                floor.add(key)
        elif task.scenario == "latency":
            await asyncio.sleep(0.1)
            meter.ready()
        over = asyncio.create_task(floor.over.wait())
        await asyncio.wait((over, watching), return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            sys.exit("the server has ended the watch, and the floor opens no other")
        meter.stop()
        meter.report(**({"latencies_ms": floor.latencies} if task.scenario == "latency" else {}))
        for one in (watching, *workers):
            one.cancel()


def _queue(task: Task) -> None:
    keys = [(f"ns-{number % 10}", name_of(number)) for number in range(task.objects)]
    meter = Meter()
    for _ in range(_PASSES):
        waiting: deque[_Key] = deque()
        known: set[_Key] = set()
        for key in keys:
            if key not in known:
                known.add(key)
                waiting.append(key)
        while waiting:
            known.discard(waiting.popleft())
    meter.stop()
    meter.report(operations=len(keys) * _PASSES)


def _trust(cluster: Cluster) -> Any:
    context = ssl.create_default_context(cafile=cluster.ca_file)
    if cluster.certificate is not None:
        context.load_cert_chain(*cluster.certificate)
    return context if cluster.server.startswith("https") else True


async def _credentials(cluster: Cluster) -> dict[str, str]:
    value = await cluster.credentials.header()
    return {} if value is None else {"Authorization": value}


def main() -> None:
    """Do the task."""
    task = read_task()
    if task.scenario == "queue":
        _queue(task)
    elif task.scenario == "serving":
        asyncio.run(bare.serve(task))
    elif task.scenario == "startup":
        sys.exit("the floor is no program with a start of its own")
    else:
        asyncio.run(_do(task))


async def _do(task: Task) -> None:
    cluster = await Cluster.load(Path(task.kubeconfig))
    match task.scenario:
        case "informers":
            await _hold_many(task, cluster)
        case "relist":
            await _relist(task, cluster)
        case _:
            await _race(task, cluster)


if __name__ == "__main__":
    main()
