"""One control plane for a whole test session, in a thread of its own, whatever event loops the tests come with.

Everything it offers is synchronous, so it can be used by fixtures and tests of any kind.
"""

import asyncio
import importlib
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import attrs
import yaml

from windlass.envtest.errors import ControlPlaneError
from windlass.informers.api import Api
from windlass.informers.builtins import Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.credentials import StaticHeader
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.informers.typed import CustomResource
from windlass.manifests.install import install

__all__ = ("K3S", "ContainerOptions", "Plane", "SharedPlane", "plane_of_kind")

T = TypeVar("T")


class Plane(Protocol):
    """A control plane that runs."""

    def kubeconfig(self) -> dict[str, Any]:
        """The configuration of its administrator."""


@attrs.frozen
class ContainerOptions:
    """What runs as `container`: an image, K3s if "", and whether it is `privileged`, as K3s must be."""

    image: str = ""
    privileged: bool = True


K3S = ContainerOptions()


def plane_of_kind(kind: str, container: ContainerOptions = K3S) -> AbstractAsyncContextManager[Plane] | None:
    """A control plane that starts when entered; None for `existing`, which is there already.

    Raises ControlPlaneError for one that is not on this machine, saying how to bring it.
    """
    match kind:
        case "embedded":
            from windlass.envtest.apiserver import ApiServer  # noqa: PLC0415  # each is loaded when it is wanted

            return ApiServer()
        case "binaries":
            from windlass.envtest.controlplane import ControlPlane, find_binaries, why_no_binaries  # noqa: PLC0415

            binaries = find_binaries(controller_manager=True) or find_binaries()
            if binaries is None:
                raise ControlPlaneError(f"--control-plane=binaries: {why_no_binaries()}")
            return ControlPlane(binaries, controller_manager=find_binaries(controller_manager=True) is not None)
        case "container":
            return _container(container)
        case "existing":
            return None
    raise ControlPlaneError(f"--control-plane: expected embedded, binaries, container or existing, found {kind!r}")


def _container(options: ContainerOptions) -> AbstractAsyncContextManager[Plane]:
    try:
        containers = importlib.import_module("windlass.envtest.controlplane.containers")
    except ImportError as error:
        raise ControlPlaneError(f"--control-plane=container cannot be used: {error}") from error
    image = options.image or containers.K3S_IMAGE
    plane: AbstractAsyncContextManager[Plane] = containers.ClusterContainer(image, privileged=options.privileged)
    return plane


class SharedPlane:
    """A control plane from `with` to its end. `kind` is embedded, binaries, container or existing."""

    def __init__(self, kind: str, container: ContainerOptions = K3S) -> None:
        self.kind = kind
        self._plane = plane_of_kind(kind, container)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"control plane {kind}", daemon=True)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._cluster: Cluster | None = None

    def __enter__(self) -> Self:
        """Start it. Raises what starting raises."""
        self._thread.start()
        try:
            self._cluster = self.run(self._start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._plane is not None:
                self.run(self._plane.__aexit__(kind, error, trace))
        finally:
            self._end()

    @property
    def cluster(self) -> Cluster:
        """How clients reach it, as administrator. Raises ControlPlaneError when it does not run."""
        if self._cluster is None:
            raise ControlPlaneError("the control plane does not run")
        # Credentials that are fetched anew from time to time belong to the loop that they were first used in.
        return self.run(Cluster.load()) if self._plane is None else self._cluster

    @property
    def environment(self) -> dict[str, str]:
        """What programs need in their environment to reach it: KUBECONFIG. Empty for an existing cluster."""
        return {} if self._folder is None else {"KUBECONFIG": str(Path(self._folder.name, "kubeconfig"))}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, awaited in the plane's own thread. Not to be called from there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def install(self, *kinds: type[CustomResource]) -> None:
        """Tell it of the kinds, and wait until it serves them. Raises NotEstablished and ApiError."""
        self.run(self._with_api(lambda api: install(api, kinds)))

    def create_namespace(self, name: str) -> None:
        """A new, empty namespace. Raises ApiError."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.run(self._with_api(lambda api: api.create(Namespace, body)))

    def delete_namespace(self, name: str) -> None:
        """Ask for the namespace's end, with all that is in it; it is not waited for. Raises ApiError."""

        async def delete(api: Api) -> None:
            with suppress(NotFound):
                await api.delete(Namespace, Key("", name))

        self.run(self._with_api(delete))

    async def _start(self) -> Cluster:
        if self._plane is None:
            return await Cluster.load()
        config = (await self._plane.__aenter__()).kubeconfig()
        self._write(config)
        if self.kind == "embedded":  # what reads configurations takes longer to import than all the rest
            user, place = config["users"][0]["user"], config["clusters"][0]["cluster"]
            return Cluster(place["server"], StaticHeader(f"Bearer {user['token']}"))
        return Cluster.from_dict(config)

    def _write(self, config: dict[str, Any]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="windlass-")  # readable by its owner alone
        Path(self._folder.name, "kubeconfig").write_text(yaml.safe_dump(config, sort_keys=False))

    async def _with_api(self, act: Callable[[Api], Awaitable[object]]) -> None:
        assert self._cluster is not None  # whoever calls is between `with` and its end
        async with Client(self._cluster) as client:
            await act(Api(client))

    def _end(self) -> None:
        self._cluster = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __repr__(self) -> str:
        where = "stopped" if self._cluster is None else self._cluster.server
        return f"<SharedPlane {self.kind} {where}>"
