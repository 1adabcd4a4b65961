"""The manager owns everything that runs: what it started is stopped, in order, whatever happens (M1, M7).

Construction is inert and checks all that can be checked without a cluster: kinds are registered, names are unique,
owner relations are legal. `run()` is for a program that is nothing but its controllers; `async with manager:` for one
that has a loop, signals and purposes of its own.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from windlass.controller.assembly import Assembly, Wanted
from windlass.controller.context import Services
from windlass.controller.controller import Controller
from windlass.controller.dryrun import DryRunClient
from windlass.controller.errors import DuplicateName, GraceExceeded, LeadershipLost, ManagerError
from windlass.controller.exposure import exposure_fault
from windlass.controller.faults import Faults
from windlass.controller.handlers import Watch
from windlass.controller.names import namespace_fault
from windlass.controller.offloading import BlockingReconciler
from windlass.controller.pages import Page
from windlass.controller.parts import Parts, Stage
from windlass.controller.predicates import DEFAULT, Predicate
from windlass.controller.preflight import check_access, check_server
from windlass.controller.recorder import Recorder
from windlass.controller.replicas import Replicas
from windlass.controller.request import Reconciler
from windlass.controller.retries import KEY_BACKOFF, TokenBucket
from windlass.controller.scheme import Scheme
from windlass.controller.series import SeriesCorrelator
from windlass.controller.settings import Settings
from windlass.controller.signals import stopping_on_signals
from windlass.controller.sources import Source
from windlass.controller.version import check_version
from windlass.controller.watchdog import Culprit, Watchdog
from windlass.informers.api import Api
from windlass.informers.backoff import Backoff
from windlass.informers.cache import Cache
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.keys import Key
from windlass.informers.resources import Kind, Resource

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from windlass.controller.health import ProbeServer

__all__ = ("Manager", "Runnable")

T = TypeVar("T")

_DEFAULTS = Settings()
_LOG = logging.getLogger("windlass.controller.manager")


class Runnable(Protocol):
    """Something else that should run as long as the manager does. It is stopped by cancellation."""

    @property
    def name(self) -> str:
        """Unique in its manager."""

    async def run(self) -> None:
        """Run. Returning early is fine; raising stops the manager (M8)."""


class _StoppedWhileStarting(ManagerError):  # internal
    """`stop` was called before the start was complete."""


class Manager:
    """Controllers, their shared cache and client, and other runnables, under one start and one stop.

    `kinds` are the classes and Resources that controllers may use beside the built-in ones. `cluster`, or else
    `kubeconfig` (default: $KUBECONFIG, ~/.kube/config, the pod's service account) says where. `namespace` restricts
    the cache; None is the whole cluster. A manager runs once.
    """

    def __init__(
        self,
        *,
        kinds: Sequence[Kind] = (),
        cluster: Cluster | None = None,
        kubeconfig: Path | None = None,
        namespace: str | None = None,
        settings: Settings = _DEFAULTS,
    ) -> None:
        faults = Faults()
        self.scheme = Scheme()
        for kind in kinds:
            with faults:
                self.scheme.add(kind)
        exposed = exposure_fault(settings.probe_host, settings.probe_token)
        if settings.probe_port is not None and exposed is not None:
            faults.add(exposed)
        self._replicas = Replicas(settings.leader_election, settings.sharding)
        for part in (settings, settings.leader_election, settings.sharding, settings.supported_versions):
            if part is not None:
                with faults:
                    part.validate()
        if (wrong := namespace_fault(namespace)) is not None:
            faults.add(wrong)
        faults.raise_all("this manager cannot be built")
        self.namespace = namespace
        self.settings = settings
        self.recorder = Recorder(
            settings.field_manager,
            instance=f"{settings.field_manager}-{socket.gethostname()}",
            clock=settings.clock,
            correlator=SeriesCorrelator() if settings.event_series else None,
        )
        self.watchdog = Watchdog(self._who_holds, threshold_seconds=settings.block_threshold_seconds)
        self._cluster = cluster
        self._kubeconfig = kubeconfig
        self._controllers: dict[str, Controller] = {}
        self._runnables: dict[str, Runnable] = {}
        self._unelected: set[str] = set()
        self._pages: dict[str, Page] = {}
        self._assembly = Assembly(self.scheme, settings, self._claim, self._uid_of)
        self.registry = self._new_registry()
        # The rest is there from the start on.
        self._stack = AsyncExitStack()
        self._parts: Parts | None = None
        self._services: Services | None = None
        self._api: Api | None = None
        self._probes: ProbeServer | None = None
        self._stopping: asyncio.Event | None = None
        self._host: asyncio.Task[object] | None = None
        self._started = False
        self._failure: BaseException | None = None
        self._waiters = 0
        self._interrupted = False

    # Building.

    def register(self, *kinds: Kind) -> None:
        """Let controllers use `kinds`, as if they had been given to the constructor.

        This is how a function that adds an operator to somebody else's manager brings its kinds along.
        Raises ManagerError when one is known under the same name with another address.
        """
        for kind in kinds:
            self.scheme.add(kind)

    def controller(
        self,
        reconcile: Reconciler | BlockingReconciler,
        *,
        for_: Kind,
        owns: Sequence[Kind] = (),
        watches: Sequence[Watch] = (),
        sources: Sequence[Source] = (),
        reads: Sequence[Kind] = (),
        executors: Sequence[str] = (),
        predicates: Sequence[Predicate] = (DEFAULT,),
        workers: int | None = None,
        name: str | None = None,
        deadline_seconds: float | None = None,
        offload: bool = False,
        sharded: bool | None = None,
        retry: Backoff = KEY_BACKOFF,
        bucket: TokenBucket | None = None,
    ) -> Controller:
        """Add a controller: `reconcile` runs for keys of the kind `for_`.

        `predicates` (all must pass) judge changes of that kind. `owns` are kinds whose objects wake the object of
        `for_` that controls them; `watches` wake by a handler of your own; `sources` from outside the cluster. `reads`
        are kinds to cache without being woken, `executors` names that the registry of executors must know. `workers`
        run that many keys at once, and a run is ended after `deadline_seconds`; None is what the settings say. `name`
        defaults to the kind in lower case. With `offload`, `reconcile` is a plain function that runs in a thread
        (`windlass.controller.offloading`). With `sharded`, replicas share the keys (`Settings.sharding`); else the
        leader alone works, or every replica if there is no election. None shares where there is sharding and no
        election.

        Raises what is wrong, all of it: KindNotRegistered, DuplicateName, ExecutorNotFound, ManagerError for an
        impossible owner relation or a number out of range; ManagerFaults if it is more than one. Nothing of that waits
        for the start.
        """
        spec = self._assembly.spec(
            Wanted(
                reconcile=reconcile,
                for_=for_,
                owns=tuple(owns),
                watches=tuple(watches),
                sources=tuple(sources),
                reads=tuple(reads),
                executors=tuple(executors),
                predicates=tuple(predicates),
                workers=workers,
                name=name,
                deadline_seconds=deadline_seconds,
                offload=offload,
                sharded=sharded,
                retry=retry,
                bucket=bucket,
            )
        )
        controller = Controller(spec)
        self._controllers[spec.name] = controller
        if self._started:
            controller.attach(self.cache)
            self._start_controller(controller)
        return controller

    def add(self, runnable: Runnable, *, elected: bool = True) -> None:
        """Run `runnable` beside the controllers: it starts when the caches are complete, or at once if they are (M6).

        With leader election it starts when this process leads, unless `elected` is False: then on every replica.
        Raises DuplicateName, and ManagerError when the manager has begun to stop.
        """
        self._claim(runnable.name)
        self._runnables[runnable.name] = runnable
        if not elected:
            self._unelected.add(runnable.name)
        if self._started:
            self._start_runnable(runnable)

    def page(self, page: Page) -> None:
        """Serve `page` beside the debug page, if there is a probe server. Raises DuplicateName."""
        if page.name in self._pages:
            raise DuplicateName(page.name)
        self._pages[page.name] = page

    # What runs need.

    @property
    def client(self) -> Client:
        """The HTTP client. Raises ManagerError before the start."""
        return self.api.client

    @property
    def api(self) -> Api:
        """Uncached reads and writes. Raises ManagerError before the start."""
        if self._api is None:
            raise ManagerError("the manager has not been started: its API exists only while it runs")
        return self._api

    @property
    def cache(self) -> Cache:
        """The shared cache. Raises ManagerError before the start."""
        return self._running_services().cache

    @property
    def probe_address(self) -> tuple[str, int]:
        """Host and port of the probe server. Raises ManagerError if there is none."""
        if self._probes is None:
            raise ManagerError("no probe server runs: set Settings.probe_port and start the manager")
        return self._probes.address

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """The controllers, in the order they were added."""
        return tuple(self._controllers.values())

    # Running.

    def run(self) -> None:
        """Run until a signal or a failure. SIGINT and SIGTERM stop in order, a second one ends the process at once.

        Raises what failed. Must be called on the main thread, with no loop running.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise ManagerError("Manager.run() starts a loop of its own; inside one use `async with manager:`")
        # Outside the `except`, or every error of the run would be told as happening during that one.
        asyncio.run(self._run())

    async def __aenter__(self) -> Self:
        """Start everything; returns when the caches are complete and the workers run.

        Raises ManagerError when the server cannot be used or the probe port is taken, NotSynced when the first lists
        take too long, ConfigError when no cluster is configured, and what a part raises meanwhile.
        """
        if self._stopping is not None:
            raise ManagerError("this manager has been started before; a manager runs once")
        self._stopping = asyncio.Event()
        try:
            await self._start()
        except BaseException as error:
            await self._close(grace_seconds=0.0)
            if self._failure is not None and isinstance(error, _StoppedWhileStarting):
                raise self._failure from None
            raise
        self._host = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything in order. Raises what failed, or GraceExceeded; an error of the body goes before both."""
        host, self._host = self._host, None
        grace_seconds = 0.0 if isinstance(self._failure, LeadershipLost) else self.settings.grace_seconds
        unfinished = await self._close(grace_seconds=grace_seconds)
        stop_error = GraceExceeded(self.settings.grace_seconds, unfinished) if unfinished else None
        if self._interrupted and host is not None:
            interrupted_only = host.uncancel() == 0
            if interrupted_only and isinstance(error, asyncio.CancelledError):
                error = None  # it was us who cancelled the body: what is raised is why
        problems = [one for one in (error, self._failure, stop_error) if one is not None]
        for other in problems[1:]:
            if other is not problems[0]:
                problems[0].add_note(f"besides: {type(other).__name__}: {other}")
        if error is None and problems:
            raise problems[0]

    async def wait(self) -> None:
        """Wait until the manager is told to stop, or a part fails; raises what it failed with."""
        if self._stopping is None:
            raise ManagerError("the manager has not been started: there is nothing to wait for")
        self._waiters += 1
        try:
            await self._stopping.wait()
        finally:
            self._waiters -= 1
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ask for the orderly stop: `wait` returns. Callable at any time, from the loop's thread."""
        if self._stopping is not None:
            self._stopping.set()
            self._replicas.close()

    def __repr__(self) -> str:
        state = "new" if self._stopping is None else "stopping" if self._stopping.is_set() else "running"
        return f"<Manager {state} controllers={len(self._controllers)} runnables={len(self._runnables)}>"

    def _new_registry(self) -> "CollectorRegistry":
        # Not sooner: who imports managers to write an operator needs no library of metrics yet.
        from prometheus_client import CollectorRegistry  # noqa: PLC0415

        from windlass.controller.metrics import ControllerCollector, ReplicasCollector  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(ControllerCollector(self._controllers.values, self.recorder, self.watchdog))
        registry.register(ReplicasCollector(self._replicas))
        return registry

    # The start, in order.

    async def _start(self) -> None:
        from windlass.informers.metrics import CallMetrics, InformerMetrics  # noqa: PLC0415  # as in _new_registry

        settings = self.settings
        cluster = self._cluster or await Cluster.load(self._kubeconfig)
        calls = CallMetrics(self.registry, host=urlsplit(cluster.server).netloc)
        client_class = DryRunClient if settings.dry_run else Client
        client = await self._stack.enter_async_context(client_class(cluster, observer=calls))
        cache = Cache(client, namespace=self.namespace)
        InformerMetrics(self.registry, lambda: cache.informers)
        api = self._api = Api(client, observer=cache)
        if settings.probe_port is not None:
            await self._serve_probes(settings.probe_port, cache)
        self._parts = Parts(await self._stack.enter_async_context(asyncio.TaskGroup()), self._failed)
        self._services = Services(
            cache,
            self.scheme,
            self.recorder,
            settings.field_manager,
            settings.clock,
            journal=settings.journal,
            identity=f"{self.recorder.instance}/{os.getpid()}",
        )
        version = await self._unless_stopped(check_server(api, timeout_seconds=settings.connect_timeout_seconds))
        _LOG.info("API server %s, version %s", cluster.server, version)
        check_version(version, settings.supported_versions, server=cluster.server)
        await self._unless_stopped(self._replicas.prepare(client, settings.clock))
        resources = {watch.resource for one in self.controllers for watch in one.spec.watches}
        resources |= {resource for one in self.controllers for resource in one.spec.reads}
        await self._unless_stopped(
            check_access(
                api,
                sorted(resources, key=str),
                namespace=self.namespace,
                timeout_seconds=settings.connect_timeout_seconds,
            )
        )
        for controller in self.controllers:
            controller.attach(cache)
        self._parts.start(Stage.RECORDER, self.recorder.name, lambda: self.recorder.run(api), stop=self.recorder.stop)
        if settings.block_threshold_seconds:
            self._parts.start(Stage.RECORDER, self.watchdog.name, self.watchdog.run)
        self._parts.start(Stage.CACHE, "cache", cache.run)
        await self._unless_stopped(cache.ready(timeout=settings.sync_timeout_seconds))
        for runnable in self._runnables.values():
            self._start_runnable(runnable)
        for controller in self.controllers:
            self._start_controller(controller)
        for controller in self.controllers:
            await self._unless_stopped(controller.ready())
        self._replicas.start(self._parts)
        await asyncio.sleep(0)  # every part has begun, so every part is stopped by its own clean-up
        self._started = True
        _LOG.info("started: %s", ", ".join(self._controllers) or "no controllers")

    async def _serve_probes(self, port: int, cache: Cache) -> None:
        settings = self.settings
        # Not sooner: a web server's parts take 30 ms, and most who import managers ask for none.
        from windlass.controller.health import ProbeServer  # noqa: PLC0415

        self._probes = ProbeServer(
            settings.probe_host,
            port,
            registry=self.registry,
            controllers=self._controllers.values,
            live={"loop": lambda: None, "leases": self._replicas.health},
            ready={
                "started": self._readiness,
                "informers": lambda: cache.cut_off(settings.contact_timeout_seconds),
            },
            token=settings.probe_token,
            details=self._loop_details,
            pages=self._pages,
        )
        await self._stack.enter_async_context(self._probes)

    def _start_runnable(self, runnable: Runnable) -> None:
        def start() -> None:
            self._running_parts().start(Stage.RUNNABLE, runnable.name, runnable.run)

        if runnable.name in self._unelected:
            start()
        else:
            self._replicas.when_leading(start)

    def _start_controller(self, controller: Controller) -> None:
        services, api = self._running_services(), self.api
        self._running_parts().start(
            Stage.CONTROLLER, controller.name, lambda: controller.run(services, api), stop=controller.stop
        )
        gate = self._replicas.gate(sharded=controller.spec.sharded)
        if controller.spec.sharded:
            self._replicas.attach(controller)
            controller.open(gate)
        else:
            controller.hold()
            self._replicas.when_leading(lambda: controller.open(gate))

    # The stop.

    async def _close(self, *, grace_seconds: float) -> list[str]:
        """Stop the parts in order, then close what they used. Cancelled, it cancels them, and still waits."""
        self.stop()
        unfinished: list[str] = []
        try:
            if self._parts is not None:
                unfinished = await self._parts.stop(grace_seconds)
        finally:
            if self._parts is not None and len(self._parts):
                await self._parts.cancel()
            await self._stack.aclose()
            if self._services is not None:
                self._services.threads.shutdown(wait=False, cancel_futures=True)
            self._api = None
            self._services = None
            self._probes = None
        return unfinished

    def _failed(self, name: str, error: BaseException) -> None:
        _LOG.error("%s failed, so the manager stops: %s: %s", name, type(error).__name__, error)
        if self._failure is None:
            self._failure = error
        else:
            self._failure.add_note(f"{name} failed too: {type(error).__name__}: {error}")
        self._replicas.close()
        if isinstance(error, LeadershipLost) and self._parts is not None:
            self._parts.abandon()  # no grace: another may work from now on (M2)
        if self._stopping is not None and not self._stopping.is_set():
            self._stopping.set()
            # A body that waits hears of it by `wait`; any other is interrupted, as by a TaskGroup.
            if self._host is not None and not self._waiters:
                self._interrupted = True
                self._host.cancel()

    async def _run(self) -> None:
        with stopping_on_signals(self.stop):
            try:
                async with self:
                    await self.wait()
            except _StoppedWhileStarting:
                pass

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, unless a stop or a failure comes first; then it is cancelled."""
        assert self._stopping is not None  # the start has set it
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise _StoppedWhileStarting("the manager was stopped before it had started")
            return task.result()
        finally:
            for one in (task, stopped):
                one.cancel()
            await asyncio.wait((task, stopped))

    def _readiness(self) -> str | None:
        if self._stopping is not None and self._stopping.is_set():
            return "stopping"
        return None if self._started else "starting: the caches are not complete"

    def _who_holds(self, loop: asyncio.AbstractEventLoop) -> Culprit:
        """Asked by the watchdog's thread: looks, and changes nothing."""
        task = asyncio.current_task(loop)
        if task is None:
            return Culprit("other", "a callback")
        for controller in self.controllers:
            request = controller.runs.get(task)
            if request is not None:
                return Culprit(
                    controller.name, f"{controller.name}, reconciling {request.key} ({request.reconcile_id})"
                )
        return Culprit("other", f"the task {task.get_name()}")

    def _loop_details(self) -> dict[str, Any]:
        last = [
            {"seconds": round(one.seconds, 3), "by": one.culprit.detail, "at": one.place}
            for one in self.watchdog.blockages
        ]
        return {"loop": {"blocked": dict(self.watchdog.counts), "last_blockages": last}}

    def _uid_of(self, resource: Resource, key: Key) -> str | None:
        found = None if self._services is None else self._services.cache.get(resource, key)
        return None if found is None else found.uid

    def _claim(self, name: str) -> None:
        if self._stopping is not None and self._stopping.is_set():
            raise ManagerError(f"{name} cannot be added: the manager has begun to stop (M6)")
        if name in self._controllers or name in self._runnables:
            raise DuplicateName(name)

    def _running_services(self) -> Services:
        if self._services is None:
            raise ManagerError("the manager has not been started: its cache exists only while it runs")
        return self._services

    def _running_parts(self) -> Parts:
        if self._parts is None:
            raise ManagerError("the manager has not been started")
        return self._parts
