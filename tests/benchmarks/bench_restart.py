"""What the restart of an API server costs a controller of many objects, and whether it loses any of them.

    python tests/benchmarks/bench_restart.py [--objects 10000] [--server embedded | kubernetes] [--check]

The server is a process with its objects on disk, or a real kube-apiserver before etcd. All objects are reconciled once;
then every spec is changed, and in the middle of that the server is killed and started again on the same port. In the
end each object's status must name its newest generation. `--check` exits 1 when one does not.
tests/controller/test_restart.py runs the same.
"""

import argparse
import asyncio
import collections
import resource
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec

from windlass.controller import Context, Manager, Request, Settings
from windlass.envtest.controlplane import ControlPlane, find_binaries
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import AlreadyExists, ConnectionFailed, ServerError, TooManyRequests
from windlass.informers.keys import Key
from windlass.informers.typed import CustomResource
from windlass.manifests.install import install
from windlass.manifests.kinds import kind

__all__ = ("Report", "survive")

WRITERS = 32
WORKERS = 32
DOWN_SECONDS = 2.0


@attrs.frozen
class BuoySpec:
    depth: int = 0


@attrs.frozen
class BuoyStatus:
    observed: int = 0


@kind("restart.tests.windlass.dev/v1")
@attrs.frozen
class Buoy(CustomResource):
    spec: BuoySpec = BuoySpec()
    status: BuoyStatus = BuoyStatus()


BUOY = Buoy.__windlass_resource__


@attrs.frozen
class Report:
    """What happened.

    `refused` changes met no server and were tried again. `behind` names objects whose status is not of their newest
    generation: there must be none.
    """

    objects: int
    first_seconds: float
    created_seconds: float
    recovered_seconds: float
    runs: int
    errors: int
    refused: int
    peak_mb: float
    behind: tuple[str, ...]


async def reconcile(ctx: Context, request: Request) -> None:
    """The status says which generation was seen."""
    buoy = await ctx.get(Buoy, request.key)
    if buoy is not None:
        await ctx.status(buoy, observed=buoy.metadata.generation)


async def survive(objects: int, folder: Path, server_kind: str = "embedded") -> Report:
    """Create, reconcile, change, kill the server meanwhile, and wait until everything is as new as it should be."""
    server = Real() if server_kind == "kubernetes" else Embedded(folder)
    async with server.running():
        started = time.monotonic()
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [Buoy])
            await every(objects, lambda index: create(api, index))
            created = time.monotonic()
            manager = Manager(kinds=[Buoy], cluster=cluster, settings=Settings(grace_seconds=10.0))
            controller = manager.controller(reconcile, for_=Buoy, workers=WORKERS)
            async with manager:
                await until_current(api, objects, depth=0)
                first = time.monotonic()
                changes = asyncio.create_task(every(objects, lambda index: change(api, index)))
                await asyncio.sleep((created - started) / 3)  # some are changed, others are not
                await server.kill()
                await asyncio.sleep(DOWN_SECONDS)
                await server.start()
                refused = await changes
                behind = await until_current(api, objects, depth=1)
                recovered = time.monotonic()
            return Report(
                objects=objects,
                created_seconds=round(created - started, 2),
                first_seconds=round(first - created, 2),
                recovered_seconds=round(recovered - first, 2),
                runs=sum(controller.statistics.results.values()),
                errors=controller.statistics.errors,
                refused=refused,
                peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                behind=behind,
            )


class Embedded:
    """The embedded API server in a process of its own, on one port and one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = "0"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        arguments = ["--data", self._folder, "--port", self._port, "--token", "restart"]
        arguments += ["--kubeconfig", self._folder / "kubeconfig"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "windlass.envtest.apiserver", *map(str, arguments)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        self._port = line.strip().rpartition(":")[2]

    async def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    def kubeconfig(self) -> dict[str, Any]:
        return msgspec.yaml.decode((self._folder / "kubeconfig").read_bytes())

    @asynccontextmanager
    async def running(self):
        await self.start()
        try:
            yield
        finally:
            await self.kill()


class Real:
    """A kube-apiserver of its own, whose etcd lives on."""

    def __init__(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise SystemExit("there is no kube-apiserver on this machine; .ci/kubernetes brings it")
        self._plane = ControlPlane(binaries, controller_manager=False)

    async def start(self) -> None:
        await self._plane.restart_apiserver()

    async def kill(self) -> None:
        self._plane.kill_apiserver()

    def kubeconfig(self) -> dict[str, Any]:
        return self._plane.kubeconfig()

    @asynccontextmanager
    async def running(self):
        async with self._plane:
            yield


async def every(objects, work):
    """Do the work for each object, WRITERS at a time, until it is done; how often the server was away."""
    left = collections.deque(range(objects))
    refused = 0

    async def writer():
        nonlocal refused
        while left:
            index = left.popleft()
            while True:
                try:
                    await work(index)
                except AlreadyExists:
                    break
                except (ConnectionFailed, ServerError, TooManyRequests):
                    refused += 1
                    await asyncio.sleep(0.2)
                else:
                    break

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(writer())
    return refused


async def create(api, index):
    body = {"apiVersion": "restart.tests.windlass.dev/v1", "kind": "Buoy"}
    await api.create(BUOY, {**body, "metadata": {"name": f"b{index}", "namespace": "default"}, "spec": {"depth": 0}})


async def change(api, index):
    await api.patch(BUOY, Key("default", f"b{index}"), {"spec": {"depth": 1}})


async def until_current(api, objects, *, depth, seconds=300.0):
    """Ask the server until all statuses are of the newest generation; those that are not when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        listed = await api.list(BUOY, namespace="default")
        found = [one.as_(Buoy) for one in listed.items]
        behind = [
            str(one.metadata.key)
            for one in found
            if one.spec.depth != depth or one.status.observed != one.metadata.generation
        ]
        if len(found) == objects and not behind:
            return ()
        if time.monotonic() > deadline:
            return (*behind[:20], f"{len(found)} of {objects} objects")
        await asyncio.sleep(0.5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--server", choices=["embedded", "kubernetes"], default="embedded")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(survive(arguments.objects, Path(folder), arguments.server))
    print(msgspec.json.encode(attrs.asdict(report)).decode())
    return 1 if arguments.check and report.behind else 0


if __name__ == "__main__":
    sys.exit(main())
