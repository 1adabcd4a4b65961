"""A cluster in a container does not outlive its use: stopped at the end, or after a SIGKILL by whoever comes next.

The image is K3s, or any that keeps its manners: `server --tls-san=HOST` serves TLS on port 6443 under that name and
writes a kubeconfig for the administrator to `/etc/rancher/k3s/k3s.yaml`. testcontainers (the extra `containers`) talks
to Docker; it also starts its own cleaner, Ryuk, unless `TESTCONTAINERS_RYUK_DISABLED=true` (needed where no image can
be pulled). What the cluster is used for is not known here.
"""

import asyncio
import copy
import functools
import io
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import yaml

from windlass.controller.threads import run_in_thread
from windlass.envtest.controlplane import kubeconfigs
from windlass.envtest.controlplane.owners import is_left_behind, owner_mark
from windlass.envtest.errors import ContainerError
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import ApiError, ConnectionFailed
from windlass.informers.requests import raw_get

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = ("HOST_NAME", "K3S_IMAGE", "OWNER_LABEL", "ClusterContainer")

HOST_NAME = "host.docker.internal"  # the machine of Docker's, as the container calls it
K3S_IMAGE = "rancher/k3s:v1.31.4-k3s1"
OWNER_LABEL = "dev.windlass.envtest.owner"
_PORT = 6443
_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
_CONFIG = "/etc/rancher/k3s/k3s.yaml"
_START_SECONDS = 120.0  # without the time that pulling the image takes
_POLL_SECONDS = 0.1
_CONFLICT = 409
_LOG_LINES = 20
# What a test does not need, and what would be pulled at every start.
_COMMAND = "server --disable=traefik,servicelb,metrics-server,local-storage --tls-san={host}"

T = TypeVar("T")


class ClusterContainer:
    """One container with a Kubernetes cluster in it; `async with` starts and removes it.

    It is published on loopback, or where `DOCKER_HOST` says that Docker is; from inside of a container of the same
    Docker it is reached at its own address. It runs `privileged`, as K3s must; an image that starts no containers of
    its own need not. A webhook on this machine is found under `host.docker.internal`, if it listens on more than
    loopback. Every method raises ContainerError, also when testcontainers is not installed or no Docker daemon
    answers. Its methods may be awaited under different event loops, one after the other.
    """

    def __init__(self, image: str = K3S_IMAGE, *, privileged: bool = True) -> None:
        self._image = image
        self._privileged = privileged
        self._container: DockerContainer | None = None
        self._config: dict[str, Any] | None = None

    def __repr__(self) -> str:
        where = "stopped" if self._config is None else self.url
        return f"<ClusterContainer {self._image} {where}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return once the cluster is ready and has its default service account, within 120 s after the image is there.

        First it removes the containers that killed processes of this machine have left. After an error, or a
        cancellation, nothing is left running.
        """
        if self._container is not None:
            raise ContainerError("the container is already running: stop it before starting it again")
        try:
            await self._call(self._launch)
            async with asyncio.timeout(_START_SECONDS):
                self._config = await self._ready()
        except TimeoutError:
            said = await self._call(self._log_tail)
            await self.stop()
            raise ContainerError(f"{self._image} was not ready within {_START_SECONDS:.0f} s; {said}") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Remove the container with all its data. Does nothing when stopped."""
        self._config = None
        await self._call(self._remove)

    @property
    def url(self) -> str:
        """The address of the API server on this machine."""
        return str(self.kubeconfig()["clusters"][0]["cluster"]["server"])

    def kubeconfig(self) -> dict[str, Any]:
        """A complete configuration for the administrator, credentials included; the caller's own, to change."""
        if self._config is None:
            raise ContainerError("the container is not running: start it first")
        return copy.deepcopy(self._config)

    def write_kubeconfig(self, path: Path) -> None:
        """Write `kubeconfig()` to `path`, readable by the owner alone."""
        kubeconfigs.write_kubeconfig(path, self.kubeconfig())

    async def _ready(self) -> dict[str, Any]:
        """The configuration, once the cluster does what it says."""
        while True:
            config = await self._call(self._read_config)
            if config is not None and await _answers(config):
                return config
            await asyncio.sleep(_POLL_SECONDS)

    async def _call(self, function: Callable[[], T]) -> T:
        """The result of a function that talks to Docker, in a thread; what Docker's libraries raise is translated."""
        with ThreadPoolExecutor(1, thread_name_prefix="container") as thread:
            return await run_in_thread(functools.partial(_translated, function), thread)

    def _launch(self) -> None:
        container = self._container = _new_container(self._image)
        _remove_left_behind(container)
        container.with_kwargs(
            privileged=self._privileged,
            labels={OWNER_LABEL: owner_mark()},
            extra_hosts={HOST_NAME: "host-gateway"},  # which Docker Desktop has by itself
        )
        for folder in ("/run", "/var/run"):
            container.with_tmpfs_mount(folder)
        # Without a published port it is spoken to at its own address, which K3s has in its certificate by itself.
        host = "localhost"
        if _is_published(container):
            host = container.get_docker_client().host()
            ports: dict[str, Any] = container.ports
            # testcontainers would publish on all addresses; an administrator's door belongs on loopback if it can.
            ports[str(_PORT)] = ("127.0.0.1", None) if host in ("localhost", "127.0.0.1") else None
        container.with_command(_COMMAND.format(host=host))
        container.start()

    def _read_config(self) -> dict[str, Any] | None:
        """The administrator's configuration as seen from here; None as long as it is not written whole."""
        assert self._container is not None
        container = self._container.get_wrapped_container()
        container.reload()
        if container.status != "running":
            raise ContainerError(f"{self._image} ended while it started; {self._log_tail()}")
        text = _file(container, _CONFIG)
        found = yaml.safe_load(text) if text else None
        if not isinstance(found, dict) or "current-context" not in found:
            return None
        cluster = found["clusters"][0]["cluster"] | {"server": f"https://{_address(self._container)}"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "windlass", "cluster": cluster}],
            "users": [{"name": "admin", "user": found["users"][0]["user"]}],
            "contexts": [{"name": "windlass", "context": {"cluster": "windlass", "user": "admin"}}],
            "current-context": "windlass",
        }

    def _log_tail(self) -> str:
        logs = b"" if self._container is None else self._container.get_wrapped_container().logs(tail=_LOG_LINES)
        return f"the end of its log:\n{logs.decode(errors='replace')}"

    def _remove(self) -> None:
        if self._container is not None:
            self._container.stop()
            self._container = None


def _new_container(image: str) -> "DockerContainer":
    try:
        # Imported here: it belongs to an extra, and takes half a second.
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    except ImportError as error:
        raise ContainerError(f"a cluster in a container needs windlass[containers]: {error}") from error
    return DockerContainer(image)


def _is_published(container: "DockerContainer") -> bool:
    """Whether the container is reached through a port of Docker's machine, and not directly in Docker's network."""
    return str(container.get_docker_client().get_connection_mode().value) == "docker_host"


def _address(container: "DockerContainer") -> str:
    client, name = container.get_docker_client(), container.get_container_id()
    if _is_published(container):
        return f"{client.host()}:{client.port(name, _PORT)}"
    return f"{client.bridge_ip(name)}:{_PORT}"


def _remove_left_behind(container: "DockerContainer") -> None:
    from docker.errors import APIError, NotFound  # noqa: PLC0415 - as above

    client = container.get_docker_client().client
    for one in client.containers.list(all=True, filters={"label": OWNER_LABEL}, ignore_removed=True):
        if is_left_behind(one.labels[OWNER_LABEL]):
            try:
                one.remove(force=True, v=True)
            except NotFound:
                continue  # somebody else was faster
            except APIError as error:
                if error.status_code != _CONFLICT:  # somebody else is about to
                    raise


def _file(container: Any, path: str) -> str | None:
    """The text of a file in the container, whether or not a shell is there to print it; None if there is none."""
    from docker.errors import NotFound  # noqa: PLC0415 - as above

    try:
        chunks, _ = container.get_archive(path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return None if file is None else file.read().decode()


def _translated(function: Callable[[], T]) -> T:
    from docker.errors import DockerException, ImageNotFound  # noqa: PLC0415 - as above
    from requests.exceptions import RequestException  # noqa: PLC0415 - as above

    try:
        return function()
    except ImageNotFound as error:
        raise ContainerError(f"the image is not here and cannot be pulled: {error.explanation}") from error
    except (DockerException, RequestException, OSError) as error:
        raise ContainerError(f"Docker does not do what a cluster in a container needs: {error}") from error


async def _answers(config: dict[str, Any]) -> bool:
    """Whether the cluster is ready, and the service account is there without which no Pod can be made."""
    try:
        async with Client(Cluster.from_dict(config)) as client:
            await client.send(raw_get("/readyz", accept="*/*"))
            await client.send(raw_get(_ACCOUNT))
    except (ApiError, ConnectionFailed):
        return False
    return True
