"""A real etcd and kube-apiserver for one test run: all they have is in one temporary folder, and goes with them.

Beside them, on request, a kube-controller-manager, without which a real control plane neither collects garbage nor
finishes the deletion of a namespace. All listen on loopback alone. Where the programs come from is not known here
beyond the folder that holds them (`find_binaries`), nor what they are told (`components`).
"""

import asyncio
import base64
import os
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from windlass.envtest.controlplane import kubeconfigs
from windlass.envtest.controlplane.binaries import cache_folder, installed
from windlass.envtest.controlplane.childprocess import ChildProcess
from windlass.envtest.controlplane.components import (
    HOST,
    Place,
    User,
    apiserver_flags,
    controller_manager_flags,
    etcd_flags,
    free_port,
    scheduler_flags,
)
from windlass.envtest.errors import ControlPlaneError

__all__ = ("ControlPlane", "find_binaries", "has_scheduler", "why_no_binaries")

_VERSION = "1.20.2"  # what .ci/kubernetes builds
_ETCD, _APISERVER = "etcd", "kube-apiserver"
_CONTROLLER_MANAGER, _SCHEDULER = "kube-controller-manager", "kube-scheduler"
_START_SECONDS = 60.0
_STOP_SECONDS = 3.0  # for each component; the most patient three are slow together, and all have ended within 10 s
_POLL_SECONDS = 0.05
_PORT_ATTEMPTS = 3
_PORT_TAKEN = re.compile(r"address already in use", re.IGNORECASE)


class _Version(msgspec.Struct):
    minor: str  # "20", or "20+" for a build that is no plain release


def find_binaries(*, controller_manager: bool = False) -> Path | None:
    """The folder with etcd and kube-apiserver (and kube-controller-manager if asked for), or None when it lacks one.

    `WINDLASS_KUBERNETES_ASSETS` decides if set, else `KUBEBUILDER_ASSETS`, else the cache (`WINDLASS_CACHE`, by default
    `~/.cache/windlass`): what `.ci/kubernetes` built, or the newest version that `windlass envtest install` fetched.
    """
    named = _named()
    folders = [Path(os.environ[named])] if named else [cache_folder() / f"kubernetes-{_VERSION}", *installed()]
    wanted = (_ETCD, _APISERVER, *((_CONTROLLER_MANAGER,) if controller_manager else ()))
    return next((folder for folder in folders if not _missing(folder, wanted)), None)


def why_no_binaries() -> str:
    """What to tell somebody for whom `find_binaries` has found nothing, and what to do about it."""
    named = _named()
    if named is None:
        return "etcd and kube-apiserver were not found; `windlass envtest install` fetches them"
    lacks = " and ".join(_missing(Path(os.environ[named]), (_ETCD, _APISERVER)))
    where = f"{named}={os.environ[named]}"
    otherwise = "correct it, or unset it: `windlass envtest install` fetches them"
    return f"{where}: expected a folder with {lacks} in it; {otherwise}"


def _named() -> str | None:
    """The variable that says where the programs are, if one is set."""
    variables = ("WINDLASS_KUBERNETES_ASSETS", "KUBEBUILDER_ASSETS")
    return next((name for name in variables if os.environ.get(name)), None)


def has_scheduler(folder: Path) -> bool:
    """Whether kube-scheduler is in a folder of `find_binaries`; the published archives have none."""
    return not _missing(folder, (_SCHEDULER,))


def _missing(folder: Path, wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if not os.access(folder / name, os.X_OK)]


class ControlPlane:
    """etcd, kube-apiserver, perhaps kube-controller-manager and kube-scheduler; `async with` starts and stops them.

    Its methods may be awaited under different event loops, one after the other, but `start` and `restart_apiserver`
    only in a thread that lives on: a component ends with the thread that started it. `extra_apiserver_flags` come last
    on the API server's command line and so win over ours. `users` are known from the start on, each by a token of his
    own (`kubeconfig(user=…)`). The scheduler needs the controller manager. Every method raises ControlPlaneError.
    """

    def __init__(
        self,
        binaries: Path,
        *,
        controller_manager: bool = False,
        scheduler: bool = False,
        users: Sequence[User] = (),
        extra_apiserver_flags: tuple[str, ...] = (),
    ) -> None:
        self._binaries = binaries
        self._controller_manager = controller_manager or scheduler
        self._scheduler = scheduler
        self._users = tuple(users)
        self._extra_apiserver_flags = extra_apiserver_flags
        self._place: Place | None = None
        self._etcd_url = ""
        self._children: dict[str, ChildProcess] = {}  # in the order of their start

    def __repr__(self) -> str:
        if self._place is None:
            return "<ControlPlane stopped>"
        running = ",".join(name for name, child in self._children.items() if child.running)
        return f"<ControlPlane {self._place.url} running={running or 'none'}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return once the API server is ready and the namespace `default` is there, within 60 s.

        After an error, or a cancellation, nothing is left running.
        """
        if self._place is not None:
            raise ControlPlaneError("the control plane is already running: stop it before starting it again")
        if missing := _missing(self._binaries, self._wanted()):
            raise ControlPlaneError(
                f"the control plane cannot start: {', '.join(missing)} not found in {self._binaries}; "
                "build it with .ci/kubernetes, fetch it with `windlass envtest install` (which has no controller "
                "manager), or name another folder in WINDLASS_KUBERNETES_ASSETS"
            )
        self._place = Place.make(self._users)
        try:
            deadline = asyncio.get_running_loop().time() + _START_SECONDS
            await self._start_etcd(self._place, deadline)
            await self._start_apiserver(self._place, deadline)
            if self._controller_manager:
                await self._start_controller_manager(self._place, deadline)
            if self._scheduler:
                await self._start_scheduler(self._place, deadline)
        except BaseException:
            self._discard()
            raise

    async def stop(self) -> None:
        """End every component, the last started first, and remove the folder; within 10 s. Idle when stopped."""
        try:
            for child in reversed(self._children.values()):
                await child.stop(_STOP_SECONDS)
        finally:
            self._discard()

    async def restart_apiserver(self) -> None:
        """Stop the API server if it runs, and start it again at the same address with the same data."""
        place = self._running_place()
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        await self._children[_APISERVER].stop(_STOP_SECONDS)
        await self._start_apiserver(place, deadline)
        if self._controller_manager and not self._children[_CONTROLLER_MANAGER].running:
            await self._start_controller_manager(place, deadline)  # as a kubelet does with one that gave up
        if self._scheduler and not self._children[_SCHEDULER].running:
            await self._start_scheduler(place, deadline)

    def kill_apiserver(self) -> None:
        """End the API server at once (SIGKILL), as a crash would. `restart_apiserver` brings it back."""
        self._running_place()
        self._children[_APISERVER].kill()

    @property
    def url(self) -> str:
        """`https://127.0.0.1:<port>`, the same for as long as the control plane runs."""
        return self._running_place().url

    @property
    def token(self) -> str:
        """The bearer token of the user `admin` in the group `system:masters`."""
        return self._running_place().token

    def kubeconfig(self, *, user: str = "admin") -> dict[str, Any]:
        """A complete configuration for the administrator or another user, with certificate and token in it."""
        place = self._running_place()
        tokens = {"admin": place.token} | place.user_tokens
        if user not in tokens:
            raise ControlPlaneError(f"nobody is called {user!r} here; the users are: {', '.join(sorted(tokens))}")
        authority = base64.b64encode(place.apiserver_certificate.read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "windlass", "cluster": {"server": place.url, "certificate-authority-data": authority}}
            ],
            "users": [{"name": user, "user": {"token": tokens[user]}}],
            "contexts": [{"name": "windlass", "context": {"cluster": "windlass", "user": user}}],
            "current-context": "windlass",
        }

    def write_kubeconfig(self, path: Path, *, user: str = "admin") -> None:
        """Write `kubeconfig(user=user)` to `path`, readable by the owner alone."""
        kubeconfigs.write_kubeconfig(path, self.kubeconfig(user=user))

    def _wanted(self) -> list[str]:
        optional = ((_CONTROLLER_MANAGER, self._controller_manager), (_SCHEDULER, self._scheduler))
        return [_ETCD, _APISERVER, *(name for name, wanted in optional if wanted)]

    def _running_place(self) -> Place:
        if self._place is None:
            raise ControlPlaneError("the control plane is not running: start it first")
        return self._place

    def _discard(self) -> None:
        while self._children:
            self._children.popitem()[1].kill()
        if self._place is not None:
            self._place.discard()
            self._place = None

    async def _start_etcd(self, place: Place, deadline: float) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self._etcd_url = f"http://{HOST}:{free_port()}"
            child = self._launch(place, _ETCD, *etcd_flags(place, self._etcd_url))
            try:
                await self._get(f"{self._etcd_url}/health", child, deadline)
            except ControlPlaneError as error:
                if attempt == _PORT_ATTEMPTS or not _PORT_TAKEN.search(str(error)):
                    raise
            else:
                return

    async def _start_apiserver(self, place: Place, deadline: float) -> None:
        flags = (*apiserver_flags(place, self._etcd_url), *self._extra_apiserver_flags)
        child = self._launch(place, _APISERVER, *flags)
        await self._get(f"{place.url}/readyz", child, deadline)
        # The first namespaces are made in the background, after the server has called itself ready.
        await self._get(f"{place.url}/api/v1/namespaces/default", child, deadline)

    async def _start_controller_manager(self, place: Place, deadline: float) -> None:
        minor = await self._minor(place, deadline)
        kubeconfig = place.folder / f"{_CONTROLLER_MANAGER}.kubeconfig"
        self.write_kubeconfig(kubeconfig)
        child = self._launch(place, _CONTROLLER_MANAGER, *controller_manager_flags(place, kubeconfig, minor=minor))
        await self._get(f"{place.controller_manager_url}/healthz", child, deadline)
        # Healthy is not yet at work: while its controllers start, it gives up for good if the API server goes away.
        await self._get(f"{place.url}/api/v1/namespaces/default/serviceaccounts/default", child, deadline)

    async def _minor(self, place: Place, deadline: float) -> int:
        version = await self._get(f"{place.url}/version", self._children[_APISERVER], deadline)
        return int(msgspec.json.decode(version, type=_Version).minor.rstrip("+"))

    async def _start_scheduler(self, place: Place, deadline: float) -> None:
        # Not waited for: nothing but Pods depends on it, and they wait by themselves.
        kubeconfig = place.folder / f"{_SCHEDULER}.kubeconfig"
        self.write_kubeconfig(kubeconfig)
        minor = await self._minor(place, deadline)
        self._launch(place, _SCHEDULER, *scheduler_flags(kubeconfig, minor=minor))

    def _launch(self, place: Place, name: str, *flags: str) -> ChildProcess:
        child = ChildProcess.start(self._binaries / name, flags, log=place.folder / f"{name}.log")
        self._children[name] = child
        return child

    async def _get(self, url: str, child: ChildProcess, deadline: float) -> bytes:
        """The body of `url` as soon as `child` answers 200."""
        try:
            async with asyncio.timeout_at(deadline):
                while (body := await self._try(url)) is None:
                    if not child.running:
                        raise ControlPlaneError(
                            _said(child, f"ended with exit code {child.exit_code} while it started")
                        )
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise ControlPlaneError(_said(child, f"was not ready within {_START_SECONDS:.0f} s")) from None
        return body

    async def _try(self, url: str) -> bytes | None:
        place = self._running_place()
        authorities = (place.apiserver_certificate, place.controller_manager_certificate)
        try:
            tls = ssl.create_default_context()
            for certificate in authorities:
                if certificate.exists():
                    tls.load_verify_locations(certificate)
            headers = {"Authorization": f"Bearer {place.token}"}
            async with aiohttp.ClientSession(headers=headers) as session, session.get(url, ssl=tls) as response:
                return await response.read() if response.status == 200 else None
        except (OSError, aiohttp.ClientError):
            return None  # not listening yet, or its certificate is only half written


def _said(child: ChildProcess, what: str) -> str:
    return f"{child.name} {what}; the end of its log:\n{child.log_tail()}"
