"""An endpoint is inert until it is started, and after `stop()` nothing is left of it: no socket, no task, no thread.

Stopping goes in order (DB23): not ready at once, still serving for the lame-duck time, then no new connections, then
the requests under way finish, within a limit, then everything is closed. This module knows life cycles; what a path
answers is `routes.py`.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs
from aiohttp import web
from prometheus_client import CollectorRegistry

from windlass.serving.batching.execution import Execution
from windlass.serving.errors import EndpointError
from windlass.serving.http.admission import Admission
from windlass.serving.http.control import ControlRoutes
from windlass.serving.http.middleware import middleware
from windlass.serving.http.routes import Routes
from windlass.serving.http.runner import Runner
from windlass.serving.metrics import Metrics
from windlass.serving.page.page import Page
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.traffic.options import TrafficOptions
from windlass.serving.traffic.setup import TrafficParts

if TYPE_CHECKING:
    from windlass.serving.grpc import GrpcServer

__all__ = ("Endpoint", "EndpointOptions")

# Longer than the idle time of the proxies in common use, so that they, not we, end an idle connection (DB26).
_KEEPALIVE_SECONDS = 75.0


# An address that means "all of them" cannot be connected to.
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@attrs.frozen
class EndpointOptions:
    """What rarely needs to be changed.

    `plain_model` is the model behind `/predict`; times are in seconds, sizes in bytes.

    `drain_seconds` limits the wait for requests under way. `lame_duck_seconds` is the time during which a stopping
    endpoint still accepts; 0 suits an endpoint inside another program, 5 to 15 one behind a Kubernetes Service.
    `grace_seconds` is the time after which the process is killed (`terminationGracePeriodSeconds`), None if unknown:
    the two together must be shorter (DB25).

    `requests_max` and `all_bodies_bytes_max` bound what is worked on at once, whichever model is asked; beyond them
    requests are refused with 429. `threads` is the number of executions at once off the loop.

    Raises EndpointError when a value cannot be meant.

    `page` is whether `GET /page` is there: a page for people, which shows no more than `/v2/models` and `/metrics` do.

    With `repository_control` whoever reaches the ports can have models loaded and unloaded.

    `grpc_port` is the port of the v2 protocol over gRPC: None, the default, for none, 0 for a free one.

    `traffic` are routes: public names that several models answer for.
    """

    plain_model: str = "linear"
    max_body_bytes: int = 64 * 1024 * 1024
    drain_seconds: float = 10.0
    lame_duck_seconds: float = 0.0
    grace_seconds: float | None = None
    threads: int = 4
    grpc_port: int | None = None
    requests_max: int = 1024
    all_bodies_bytes_max: int = 1024 * 1024 * 1024
    page: bool = True
    traffic: TrafficOptions = attrs.field(factory=TrafficOptions)
    repository_control: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("max_body_bytes", "threads", "requests_max", "all_bodies_bytes_max"):
            if getattr(self, name) < 1:
                raise EndpointError(f"{name}: expected at least 1, found {getattr(self, name)}")
        stop = self.lame_duck_seconds + self.drain_seconds
        if self.grace_seconds is not None and not stop < self.grace_seconds:
            raise EndpointError(
                f"grace_seconds: expected more than lame_duck_seconds and drain_seconds together ({stop:g}), "
                f"found {self.grace_seconds:g}"
            )


class Endpoint:
    """The inference endpoint over a repository.

    Three ways to run it: `async with endpoint:` inside a running loop; `await endpoint.run()` until cancelled; or
    `endpoint.app` mounted into an aiohttp application of one's own, which then starts and stops it (mounted, it has
    no address, and `start` must not be called). It starts once.
    """

    def __init__(
        self,
        repository: ModelRepository,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        registry: CollectorRegistry | None = None,
        options: EndpointOptions | None = None,
    ) -> None:
        self.repository = repository
        self.host = host
        self.port = port
        self.options = options or EndpointOptions()
        self.metrics = Metrics(registry)
        self.metrics.watch_models(
            lambda: len(repository.models()), lambda: sum(entry.state == "UNAVAILABLE" for entry in repository.index())
        )
        self.metrics.registry.register(repository.metrics())
        self._draining = False
        self._runner: web.AppRunner | None = None
        self._address: tuple[str, int] | None = None
        self._grpc_port: int | None = None
        self._grpc_server: GrpcServer | None = None
        self._stopping = asyncio.Lock()
        self.app = self._application()

    def __repr__(self) -> str:
        state = "draining" if self._draining else "listening" if self._address else "inert"
        return f"<Endpoint {self.host}:{self._address[1] if self._address else self.port} {state}>"

    @property
    def url(self) -> str:
        """`http://host:port` without a slash at the end, with the real port when 0 was asked for.

        Raises EndpointError before `start`.
        """
        if self._address is None:
            raise EndpointError("the endpoint has no address before it is started")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def grpc_address(self) -> str:
        """`host:port` of the gRPC service, with the real port when 0 was asked for.

        Raises EndpointError before `start`, and when `EndpointOptions.grpc_port` is None.
        """
        if self._grpc_port is None:
            raise EndpointError("there is no gRPC service: it has a port of its own, and only while the endpoint runs")
        host = _REACHABLE.get(self.host, self.host)
        return f"[{host}]:{self._grpc_port}" if ":" in host else f"{host}:{self._grpc_port}"

    def not_ready_because(self) -> str | None:
        """None when requests should be sent here, otherwise the reason (R2)."""
        return (
            "draining" if self._draining else self.repository.not_ready_because() or self._traffic.not_ready_because()
        )

    async def start(self) -> None:
        """Listen, then load models in the background.

        Raises EndpointError naming the address that cannot be listened on.
        """
        if self._runner is not None or self._draining:
            raise EndpointError("an endpoint starts once")
        self._runner = Runner(
            self.app,
            handler_cancellation=True,  # a client that hung up must not be computed for (DB21)
            shutdown_timeout=self.options.drain_seconds,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            access_log=None,
        )
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self.stop()
            raise EndpointError(f"cannot listen on {self.host}:{self.port}: {_why(error)}") from error
        except EndpointError:
            await self.stop()
            raise
        host, port = self._runner.addresses[0][:2]
        self._address = (_REACHABLE.get(host, host), port)

    async def stop(self) -> None:
        """Drain and close. A second call waits for the first; on an endpoint that is not started it does nothing."""
        async with self._stopping:
            runner = self._runner
            if runner is None:
                return
            self._draining = True
            if self._address is not None and self.options.lame_duck_seconds > 0:
                await asyncio.sleep(self.options.lame_duck_seconds)
            try:
                await runner.cleanup()
            finally:
                self._runner = self._address = None

    async def run(self) -> None:
        """Serve until cancelled, then drain."""
        async with self:
            await asyncio.Event().wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _application(self) -> web.Application:
        execution = Execution(threads=self.options.threads, metrics=self.metrics)
        admission = Admission(requests_max=self.options.requests_max, body_bytes_max=self.options.all_bodies_bytes_max)
        self._traffic = TrafficParts(self.options.traffic, self.repository, execution, registry=self.metrics.registry)
        routes = Routes(
            repository=self.repository,
            traffic=self._traffic.traffic,
            execution=execution,
            admission=admission,
            metrics=self.metrics,
            not_ready_because=self.not_ready_because,
            plain_model=self.options.plain_model,
            max_body_bytes=self.options.max_body_bytes,
            page=self.options.page,
            traffic_api=self.options.traffic.api,
            control=self.options.repository_control,
        )
        app = web.Application(middlewares=[middleware(lambda: self._draining)])
        app.add_routes([*routes.table(), *self._traffic.table(admission)])
        if self.options.page:
            app.add_routes(Page(self.repository, self.metrics, self.not_ready_because).table())
        if self.options.repository_control:
            control = ControlRoutes(self.repository, routes.admission, self.options.max_body_bytes)
            app.add_routes(control.table())
        app.on_shutdown.append(self._drain)

        async def background(_: web.Application) -> AsyncIterator[None]:
            watch = asyncio.create_task(self.repository.run(), name="windlass-serving-watch")
            try:
                yield
            finally:
                watch.cancel()
                await asyncio.wait({watch})
                execution.close()

        app.cleanup_ctx.append(background)
        app.cleanup_ctx.append(self._traffic.lifetime)
        if self.options.grpc_port is not None:
            app.cleanup_ctx.append(partial(self._grpc, execution))
        return app

    async def _grpc(self, execution: Execution, _: web.Application) -> AsyncIterator[None]:
        try:
            from windlass.serving.grpc import GrpcServer, Service  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise EndpointError(
                f"gRPC needs a library that is missing ({error}): pip install 'windlass[grpc]'"
            ) from error
        service = Service(
            self.repository,
            self._traffic.traffic,
            execution,
            self.metrics,
            self.not_ready_because,
            control=self.options.repository_control,
        )
        assert self.options.grpc_port is not None
        server = GrpcServer(
            service, host=self.host, port=self.options.grpc_port, max_message_bytes=self.options.max_body_bytes
        )
        self._grpc_port = await server.start()
        self._grpc_server = server
        try:
            yield
        finally:
            self._grpc_port = None
            await server.stop()

    async def _drain(self, _: web.Application) -> None:
        self._draining = True
        if self._grpc_server is not None:
            self._grpc_server.drain(self.options.drain_seconds)


def _why(error: OSError) -> str:
    # asyncio wraps the system's words into its own ("[Errno 98] error while attempting to bind on address …"); the
    # system's are enough.
    with contextlib.suppress(TypeError, ValueError):
        if error.errno is not None and error.errno > 0:
            return os.strerror(error.errno).lower()
    return str(error.strerror or error)
