"""A ground is where one contender runs, and what is done to it once it asks: a server and its load.

This module does not know contenders.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import attrs

from windlass.benchmarks.definition import defined
from windlass.benchmarks.errors import UnusableRecording
from windlass.benchmarks.load import stamp
from windlass.benchmarks.replay.ground import replaying
from windlass.benchmarks.replay.recorder import record
from windlass.benchmarks.replay.recording import Recording
from windlass.benchmarks.widgets import population
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.resources import Kind

__all__ = ("ClusterGround", "Ground", "Grounds", "Site")

Grounds = Callable[[], AbstractAsyncContextManager["Ground"]]
"""Opens the ground for one contender."""


class Ground(Protocol):
    """One server as a contender sees it."""

    @property
    def kubeconfig(self) -> Path:
        """How the contender finds it."""

    async def load(self) -> Mapping[str, float]:
        """Send all updates; the load's own figures, which the contender's row shows. Raises BenchmarkError."""


@attrs.frozen
class ClusterGround:
    """A real cluster with a population in `namespace`, `updates` of which are stamped, `rate` a second."""

    kubeconfig: Path
    api: Api
    namespace: str
    updates: int
    rate: float

    async def load(self) -> Mapping[str, float]:
        """Stamp by patches."""
        await stamp(self.api, self.namespace, count=self.updates, rate=self.rate)
        return {}


@attrs.frozen
class _Quiet:
    """A ground on which nothing happens."""

    kubeconfig: Path

    async def load(self) -> Mapping[str, float]:
        return {}


@attrs.frozen
class Site:
    """A cluster that can become the ground of a race of `objects` widgets. `progress` hears what is being prepared.

    `updates` and `rate` (a second) are those of the load. `kubeconfig` None is what `Cluster.load` makes of it.
    """

    kubeconfig: Path | None
    objects: int
    updates: int = 0
    rate: float = 300.0
    progress: Callable[[str], None] = lambda _: None

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[Grounds]:
        """The cluster itself: all contenders run on the same population, which is gone at the end."""
        async with self._populated() as (api, namespace):
            place = ClusterGround(self._kubeconfig(), api, namespace, self.updates, self.rate)
            yield lambda: nullcontext(place)

    @asynccontextmanager
    async def defining(self, kind: Kind, definition: Mapping[str, Any]) -> AsyncIterator[Grounds]:
        """The cluster without widgets, which serves `kind`. Raises ApiError when it refuses the definition."""
        async with Client(await Cluster.load(self.kubeconfig)) as client, defined(Api(client), kind, definition):
            yield lambda: nullcontext(_Quiet(self._kubeconfig()))

    @asynccontextmanager
    async def untouched(self) -> AsyncIterator[Grounds]:
        """No cluster at all."""
        yield lambda: nullcontext(_Quiet(self._kubeconfig()))

    @asynccontextmanager
    async def recorded(self, file: Path | None) -> AsyncIterator[Grounds]:
        """A replay of the cluster, started anew for each contender.

        `file` holds the recording, or will hold it: when it is there, no cluster is asked. None is a temporary one.
        Raises UnusableRecording, RecordingFailed, and OSError when the file cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="windlass-bench-") as folder:
            path = file or Path(folder, "recording")
            if path.exists():
                recording = await asyncio.to_thread(Recording.load, path)
            else:
                recording = await self._record()
                await asyncio.to_thread(recording.save, path)
            if len(recording.events) != self.objects:
                raise UnusableRecording(path, f"expected {self.objects} widgets, found {len(recording.events)}")
            del recording  # the replaying server reads it for itself
            yield lambda: replaying(path, rate=self.rate)

    async def _record(self) -> Recording:
        async with self._populated() as (api, namespace):
            return await record(api, namespace, self.objects, progress=self._told("recorded"))

    @asynccontextmanager
    async def _populated(self) -> AsyncIterator[tuple[Api, str]]:
        cluster = await Cluster.load(self.kubeconfig)
        namespace = f"windlass-bench-{secrets.token_hex(3)}"
        async with population(cluster, namespace, self.objects, progress=self._told("made")) as api:
            await asyncio.sleep(1.0)  # the server writes its last ones to disk
            yield api, namespace

    def _kubeconfig(self) -> Path:
        # Absolute, for contenders may run in a folder of their own.
        return (self.kubeconfig or Path(os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()).absolute()

    def _told(self, verb: str) -> Callable[[int], None]:
        def tell(count: int) -> None:
            if count % 100 == 0:
                self.progress(f"{count} of {self.objects} widgets {verb}")

        return tell
