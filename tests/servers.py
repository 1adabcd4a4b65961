"""The API servers that tests run against, by name; and the real programs, whose absence skips a test or fails it.

A test module writes `from servers import open_server`. Tests that call it are marked `realtime`.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

import aiohttp
import attrs
import pytest

from windlass.envtest.controlplane import ControlPlane, find_binaries
from windlass.envtest.controlplane.containers import HOST_NAME, ClusterContainer
from windlass.informers.api import Api
from windlass.informers.cluster import Cluster
from windlass.informers.keys import Key
from windlass.informers.requests import ListOptions, list_page
from windlass.informers.resources import Kind, resource_of

__all__ = (
    "EVERY_SERVER",
    "Server",
    "absent",
    "at_another_address",
    "at_hand",
    "called_back_at",
    "container_image",
    "control_plane_binaries",
    "end_shared",
    "forget_history",
    "kubectl_binary",
    "open_control_plane",
    "open_server",
    "signing_key",
)

EVERY_SERVER = ("embedded", "kubernetes", "container")  # for what users do from end to end; else the first two
_IMAGE = "windlass-controlplane:1.20.2"
# Its image cannot be pulled everywhere, and a container that is left behind is removed by the next run of the tests.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")


class Server(Protocol):
    """An API server that runs, whatever it is."""

    @property
    def url(self) -> str: ...

    def kubeconfig(self) -> dict[str, Any]: ...

    def write_kubeconfig(self, path: Path) -> None: ...


class StartedServer(Server, Protocol):
    """A server that is started and stopped by whoever wants it."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def control_plane_binaries() -> Path:
    """The folder with etcd, kube-apiserver and kube-controller-manager."""
    return find_binaries(controller_manager=True) or absent("a control plane", ".ci/kubernetes")


def kubectl_binary() -> Path:
    """Debian's unmodified kubectl."""
    cache = os.environ.get("WINDLASS_CACHE") or "~/.cache/windlass"
    program = Path(cache).expanduser() / "kubectl-1.20.2" / "kubectl"
    return program if os.access(program, os.X_OK) else absent("kubectl", ".ci/kubectl")


def container_image() -> str:
    """The image of a control plane that `.ci/docker` makes; Docker is there and has it."""
    command = ("docker", "image", "inspect", _IMAGE)
    try:
        there = subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        there = False
    return _IMAGE if there else absent(f"a Docker daemon with the image {_IMAGE}", ".ci/docker")


def absent(what: str, script: str) -> NoReturn:
    """Skip the test, or fail it where everything must be there."""
    message = f"{what} is not on this machine; {script} brings it"
    if os.environ.get("WINDLASS_REQUIRE_KUBERNETES") == "1":
        pytest.fail(message)
    pytest.skip(message)


@contextlib.asynccontextmanager
async def open_server(kind: str) -> AsyncIterator[Server]:
    """`embedded`: a new, empty server. `kubernetes`, `container`: the one that all tests of this process share.

    The first of these runs as processes, the second in a container. On a shared one a test makes namespaces and kinds
    of its own, and neither stops nor restarts anything: a test that does takes `open_control_plane`.
    """
    if kind == "embedded":
        from windlass.envtest.apiserver import ApiServer

        async with ApiServer(database=None, host="127.0.0.1", port=0, token="windlass-tests") as server:
            yield server
        return
    if kind == "kubernetes" and os.environ.get("WINDLASS_TEST_KUBERNETES") == "container":
        kind = "container"  # so that whatever runs on the first can be tried on the second
    if kind == "kubernetes":
        starting = _shared_control_plane(control_plane_binaries())
    elif kind == "container":
        starting = _shared_container(container_image())
    else:
        raise ValueError(f"no server is called {kind!r}: {', '.join(EVERY_SERVER)}")
    # Shielded: a test that runs into its limit must not cancel the start on which others wait.
    yield await asyncio.shield(asyncio.wrap_future(starting))


@contextlib.asynccontextmanager
async def open_control_plane(*, controller_manager: bool = True) -> AsyncIterator[ControlPlane]:
    """A new control plane of the test's own, to kill and to restart; it is ready after some seconds.

    Without `controller_manager` it starts sooner, but then nobody collects garbage or finishes a namespace's deletion.
    """
    async with ControlPlane(control_plane_binaries(), controller_manager=controller_manager) as plane:
        yield plane


async def forget_history(server: Server, version: str) -> None:
    """Let the server lose all that was before this version, so that older page tokens and versions are Gone.

    A real one forgets in etcd. Its watch cache remembers on, so there lists and watches of versions at hand still work.
    """
    path, wish = "/v3/kv/compaction", {"revision": version, "physical": True}
    if isinstance(server, ControlPlane):
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server._etcd_url}{path}", json=wish) as answer,
        ):
            assert answer.status == 200, await answer.text()
    elif isinstance(server, ClusterContainer):  # its etcd listens inside alone
        post = ("wget", "-q", "-O", "-", f"--post-data={json.dumps(wish)}", f"http://127.0.0.1:2379{path}")
        await asyncio.to_thread(_run_inside, server, *post)
    else:
        server.compact()  # type: ignore[attr-defined]  # the embedded server's own


async def signing_key(server: Server) -> bytes:
    """The private key, in PEM, with which a real server signs the tokens of service accounts."""
    if isinstance(server, ControlPlane):
        return server._running_place().apiserver_key.read_bytes()
    assert isinstance(server, ClusterContainer), "the embedded server signs nothing"
    return await asyncio.to_thread(_run_inside, server, "cat", "/run/controlplane/tls/apiserver.key")


def at_another_address(cluster: Cluster, url: str) -> Cluster:
    """The same cluster through a proxy of bytes; its certificate still bears the name of its own address."""
    return attrs.evolve(cluster, server=url, tls_server_name=urlsplit(cluster.server).hostname)


def called_back_at(server: Server) -> tuple[str, str]:
    """The address on which a webhook of this process listens, and the host by which the server calls it."""
    return ("0.0.0.0", HOST_NAME) if isinstance(server, ClusterContainer) else ("127.0.0.1", "127.0.0.1")


async def at_hand(api: Api, kind: Kind, key: Key) -> bool:
    """Whether a list of any version, as informers begin with (R1), holds the object; a busy server's may be old."""
    request = list_page(resource_of(kind), ListOptions(key.namespace), resource_version="0")
    return f'"name":"{key.name}"'.encode() in (await api.client.send(request)).body


def _run_inside(server: ClusterContainer, *command: str) -> bytes:
    """What a command of the image's busybox says."""
    assert server._container is not None
    code, said = server._container.exec(["/bin/busybox", *command])
    assert code == 0, said
    return bytes(said)


@functools.cache
def _shared_control_plane(binaries: Path) -> "concurrent.futures.Future[StartedServer]":
    return _shared(lambda: ControlPlane(binaries, controller_manager=True))


@functools.cache
def _shared_container(image: str) -> "concurrent.futures.Future[StartedServer]":
    return _shared(lambda: ClusterContainer(image, privileged=False))


def _shared(make: Callable[[], StartedServer]) -> "concurrent.futures.Future[StartedServer]":
    thread = _ServerThread(make)
    thread.start()
    _THREADS.append(thread)
    return thread.server


def end_shared() -> None:
    """Stop the shared servers; called at the end of the session, when threads can still be started."""
    while _THREADS:
        _THREADS.pop().end()


class _ServerThread(threading.Thread):
    """Starts a server, keeps it, and stops it: a control plane's processes end with the thread that started them."""

    def __init__(self, make: Callable[[], StartedServer]) -> None:
        super().__init__(name="shared-server", daemon=True)
        self.server = concurrent.futures.Future[StartedServer]()
        self._make = make
        self._over = threading.Event()

    def run(self) -> None:
        try:
            server = self._make()
            asyncio.run(server.start())
        except BaseException as error:
            self.server.set_exception(error)
            return
        self.server.set_result(server)
        self._over.wait()
        asyncio.run(server.stop())

    def end(self) -> None:
        self._over.set()
        self.join()


_THREADS: list[_ServerThread] = []
