"""What the embedded API server does in a second, beside a real kube-apiserver in the same run, with roles evaluated.

    python tests/benchmarks/bench_apiserver.py [--objects 5000] [--watchers 10] [--check [wall|cpu]]

Each server is a process of its own and has one core, all processes of the real one together; the client has the others,
if there are any, and speaks plain HTTP over sockets, so that little of the time is its own. Everything but the start is
done with the token of a ServiceAccount to which a role is bound. Objects are custom resources of about half a kilobyte
with a schema. `create` posts over eight connections; `list` reads all objects at once, ten times; `watch` is how fast
an event for every object reaches every watcher, counted in events that have reached all. `wall` is by the clock, on a
machine with nothing else to do; `cpu` is by a second of the server's processors, for a machine with other work. Every
line is a JSON object; the last ones are ratios, embedded to real. `--check` exits 1 when a bar is missed: a start under
300 ms after import, and in a second 2 000 creates, 20 000 objects listed and 5 000 events to ten watchers, by the clock
unless `--check cpu`.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import yaml

from windlass.envtest.apiserver import ApiServer
from windlass.envtest.controlplane import ControlPlane, find_binaries

BARS = {"create": 2_000.0, "list": 20_000.0, "watch": 5_000.0}
START_MAX = 0.300
CONNECTIONS, LISTS, STARTS = 8, 10, 7
GROUP = "bench.windlass.dev"
OBJECTS = f"/apis/{GROUP}/v1/namespaces/default/things"
TICKS = os.sysconf("SC_CLK_TCK")
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 0},
                "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
                "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
        }
    },
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"things.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
    },
}
RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterrole"
RULE = {"verbs": ["*"], "apiGroups": [GROUP], "resources": ["things"]}
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
SUBJECT = {"kind": "ServiceAccount", "name": "bench", "namespace": "default"}


def thing(index: int) -> bytes:
    """One object."""
    metadata = {"name": f"thing-{index:06d}", "labels": {"app": "bench", "shard": str(index % 10)}}
    spec = {"size": index, "items": [{"name": f"item-{number}"} for number in range(8)]}
    return json.dumps({"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": metadata, "spec": spec}).encode()


@attrs.frozen
class Target:
    """A server that runs: where it is, with whose token, and the processes whose time is counted."""

    name: str
    url: str
    token: str
    trust: ssl.SSLContext | None
    processes: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """What its processes have used until now."""
        fields = (Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in self.processes)
        return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS


class Connection:
    """One connection that is kept; requests go one after the other."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._place = urlsplit(target.url)

    async def __aenter__(self) -> "Connection":
        host, port = self._place.hostname, self._place.port
        self._reader, self._writer = await asyncio.open_connection(host, port, ssl=self._target.trust, limit=1 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the whole body."""
        status, headers = await self.open(method, path, body)
        if headers.get("transfer-encoding") == "chunked":
            return status, b"".join([part async for part in self.chunks()])
        return status, await self._reader.readexactly(int(headers.get("content-length", "0")))

    async def open(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str]]:
        """The status and the headers; the body is still to come."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._place.netloc}\r\nAuthorization: Bearer {self._target.token}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split()[1]), headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The parts of a chunked body."""
        while size := int(await self._reader.readline(), 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """What is started inside has one core, and this process the others from then on; no more than a wish elsewhere."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    ours = os.sched_getaffinity(0)
    theirs = {max(ours)}
    os.sched_setaffinity(0, theirs)  # a child inherits it
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours - theirs or ours)


@contextlib.contextmanager
def all_cores() -> Iterator[None]:
    """This process has again afterwards what it has now."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    yield
    if before is not None:
        os.sched_setaffinity(0, before)


async def measured(target: Target, what: str, count: int, work: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """Do the work and say how much of it goes into a second."""
    cpu, wall = target.cpu_seconds(), time.perf_counter()
    await work()
    wall, cpu = time.perf_counter() - wall, target.cpu_seconds() - cpu
    row = {"server": target.name, "what": what, "count": count}
    return row | {"wall_per_second": round(count / wall), "cpu_per_second": round(count / max(cpu, 1 / TICKS))}


async def create(target: Target, count: int) -> None:
    """Post every object, over several connections."""

    async def post(indexes: Iterable[int]) -> None:
        async with Connection(target) as connection:
            for index in indexes:
                status, body = await connection.request("POST", OBJECTS, thing(index))
                if status != 201:
                    raise SystemExit(f"{target.name}: a create was answered with {status}: {body[:200]!r}")

    await asyncio.gather(*(post(range(start, count, CONNECTIONS)) for start in range(CONNECTIONS)))


async def list_all(target: Target) -> None:
    """Read the whole list some times."""
    async with Connection(target) as connection:
        for _ in range(LISTS):
            status, body = await connection.request("GET", f"{OBJECTS}?resourceVersion=0")
            if status != 200 or b'"items"' not in body:
                raise SystemExit(f"{target.name}: a list was answered with {status}: {body[:200]!r}")


async def watch(target: Target, count: int, watchers: int) -> None:
    """Have every watcher read that many events, one for each object."""

    async def read() -> None:
        async with Connection(target) as connection:
            status, _ = await connection.open("GET", f"{OBJECTS}?watch=1&timeoutSeconds=600&resourceVersion=0")
            if status != 200:
                raise SystemExit(f"{target.name}: a watch was answered with {status}")
            seen = 0
            async for part in connection.chunks():
                seen += part.count(b"\n")
                if seen >= count:
                    return
            raise SystemExit(f"{target.name}: a watch ended after {seen} events")

    await asyncio.gather(*(read() for _ in range(watchers)))


async def prepared(administrator: Target) -> Target:
    """Make the kind, the account and its role, and return the same server with the account's token."""
    bodies = {
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": DEFINITION,
        ACCOUNTS: {"metadata": {"name": "bench"}},
        f"{RBAC}s": {"metadata": {"name": "bench"}, "rules": [RULE]},
        f"{RBAC}bindings": {
            "metadata": {"name": "bench"},
            "roleRef": {"kind": "ClusterRole", "name": "bench"},
            "subjects": [SUBJECT],
        },
    }
    async with Connection(administrator) as connection:
        for path, body in bodies.items():
            status, answer = await connection.request("POST", path, json.dumps(body).encode())
            if status != 201:
                raise SystemExit(f"{administrator.name}: {path} was answered with {status}: {answer[:200]!r}")
        _, answer = await connection.request("POST", f"{ACCOUNTS}/bench/token", b"{}")
    target = attrs.evolve(administrator, token=json.loads(answer)["status"]["token"])
    async with asyncio.timeout(60), Connection(target) as connection:
        while (await connection.request("GET", OBJECTS))[0] != 200:  # noqa: ASYNC110 - nobody says when a role counts
            await asyncio.sleep(0.2)
    return target


async def rows_of(administrator: Target, objects: int, watchers: int) -> list[dict[str, Any]]:
    """All measurements of one server."""
    target = await prepared(administrator)
    return [
        await measured(target, "create", objects, lambda: create(target, objects)),
        await measured(target, "list", objects * LISTS, lambda: list_all(target)),
        await measured(target, "watch", objects, lambda: watch(target, objects, watchers)),
    ]


@contextlib.asynccontextmanager
async def embedded() -> AsyncIterator[Target]:
    """The embedded server in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "windlass.envtest.apiserver", "--token", "bench"]
        command += ["--kubeconfig", f"{folder}/kubeconfig"]
        with on_one_core():
            process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            url = (await process.stdout.readline()).decode().split()[-1]
            yield Target("embedded", url, "bench", None, (process.pid,))
        finally:
            process.terminate()
            await process.wait()


@contextlib.asynccontextmanager
async def kubernetes(binaries: Path) -> AsyncIterator[Target]:
    """The real one: kube-apiserver and etcd."""
    before = children()
    async with contextlib.AsyncExitStack() as stack:
        with on_one_core():
            plane = await stack.enter_async_context(ControlPlane(binaries))
        configuration = yaml.safe_load(json.dumps(plane.kubeconfig()))
        authority = configuration["clusters"][0]["cluster"]["certificate-authority-data"]
        trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        yield Target("kubernetes", plane.url, plane.token, trust, tuple(children() - before))


def children() -> set[int]:
    """The processes that this one has started."""
    path = Path(f"/proc/{os.getpid()}/task")
    return {int(one) for task in path.iterdir() for one in (task / "children").read_text().split()}


async def start_row() -> dict[str, Any]:
    """How long a start takes, the modules being imported."""
    seconds = []
    for _ in range(STARTS):
        server = ApiServer()
        begin = time.perf_counter()
        await server.start()
        seconds.append(time.perf_counter() - begin)
        await server.stop()
    return {"server": "embedded", "what": "start", "seconds": round(statistics.median(seconds), 4)}


async def bench(objects: int, watchers: int) -> list[dict[str, Any]]:
    """The rows of all servers that there are."""
    rows = [await start_row()]
    with all_cores():
        async with embedded() as target:
            rows += await rows_of(target, objects, watchers)
    binaries = find_binaries()
    if binaries is None:
        return rows
    begin = time.perf_counter()
    async with kubernetes(binaries) as target:
        rows.append({"server": "kubernetes", "what": "start", "seconds": round(time.perf_counter() - begin, 4)})
        rows += await rows_of(target, objects, watchers)
    return rows + list(ratios(rows))


def ratios(rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """How many times as much the embedded server does as the real one."""
    by_place = {(row["server"], row["what"]): row for row in rows}
    for what in BARS:
        ours, theirs = by_place["embedded", what], by_place["kubernetes", what]
        fields = ("wall_per_second", "cpu_per_second")
        yield {"ratio": what} | {field: round(ours[field] / theirs[field], 2) for field in fields}
    ours, theirs = by_place["embedded", "start"], by_place["kubernetes", "start"]
    yield {"ratio": "start", "seconds": round(ours["seconds"] / theirs["seconds"], 4)}


def missed(rows: Iterable[dict[str, Any]], clock: str) -> list[str]:
    """The bars that the embedded server misses, by the `wall` or by its `cpu`."""
    found = []
    for row in (row for row in rows if row.get("server") == "embedded"):
        if row["what"] == "start" and row["seconds"] > START_MAX:
            found.append(f"start: {row['seconds']} s, not {START_MAX}")
        elif row["what"] in BARS and row[f"{clock}_per_second"] < BARS[row["what"]]:
            found.append(f"{row['what']}: {row[f'{clock}_per_second']} a second ({clock}), not {BARS[row['what']]:.0f}")
    return found


def main() -> int:
    """Parse, measure, print; 1 when `--check` finds a bar missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=5_000)
    parser.add_argument("--watchers", type=int, default=10)
    parser.add_argument("--check", nargs="?", const="wall", choices=("wall", "cpu"))
    arguments = parser.parse_args()
    rows = asyncio.run(bench(arguments.objects, arguments.watchers))
    for row in rows:
        print(json.dumps(row))
    over = missed(rows, arguments.check) if arguments.check else []
    if over:
        print(f"bars missed: {'; '.join(over)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
