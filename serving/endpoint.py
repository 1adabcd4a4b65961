"""An endpoint is inert until it is started, and after `stop()` nothing is left of it: no socket, no task, no thread.

Stopping goes in order (DB23): not ready at once, still serving for the lame-duck time, then no new connections, then
the requests under way finish, within a limit, then everything is closed. This module knows life cycles; what a path
answers is `routes.py`.
"""

import asyncio
import contextlib
import math
import os
from collections.abc import AsyncIterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs
from aiohttp import web
from prometheus_client import CollectorRegistry

from windlass.serving.access.access import Access
from windlass.serving.access.cors import Cors
from windlass.serving.access.tls import ServerTls, TlsFiles
from windlass.serving.batching.execution import Execution
from windlass.serving.errors import EndpointError
from windlass.serving.http.admission import Admission
from windlass.serving.http.control import ControlRoutes
from windlass.serving.http.express import Express
from windlass.serving.http.limits import ConnectionLimits
from windlass.serving.http.middleware import Door, middleware
from windlass.serving.http.routes import Routes
from windlass.serving.http.runner import Runner, Site
from windlass.serving.metrics import Metrics
from windlass.serving.page.page import Page
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.telemetry.telemetry import Telemetry, TelemetryOptions
from windlass.serving.traffic.options import TrafficOptions
from windlass.serving.traffic.setup import TrafficParts

if TYPE_CHECKING:
    from windlass.serving.grpc import GrpcServer

__all__ = ("Endpoint", "EndpointOptions", "app")

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

    `connections` is how long clients may dawdle and how many may be connected. `tls` are the files that make it HTTPS
    and gRPC over TLS; None, the default, for neither. `access` is who may ask what; None, the default, for everybody.
    `cors_origins` are the origins of web pages that may read answers: none by default. `telemetry` is what can be seen
    beside the metrics: nothing by default.

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
    connections: ConnectionLimits = attrs.field(factory=ConnectionLimits)
    tls: TlsFiles | None = None
    access: Access | None = None
    cors_origins: tuple[str, ...] = ()
    telemetry: TelemetryOptions = attrs.field(factory=TelemetryOptions)
    repository_control: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("max_body_bytes", "threads", "requests_max", "all_bodies_bytes_max"):
            if getattr(self, name) < 1:
                raise EndpointError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in ("drain_seconds", "lame_duck_seconds"):
            if not 0 <= getattr(self, name) < math.inf:
                raise EndpointError(f"{name}: expected a number of seconds from 0, found {getattr(self, name)}")
        stop = self.lame_duck_seconds + self.drain_seconds
        if self.grace_seconds is not None and not stop < self.grace_seconds:
            raise EndpointError(
                f"grace_seconds: expected more than lame_duck_seconds and drain_seconds together ({stop:g}), "
                f"found {self.grace_seconds:g}"
            )
        if self.access is not None and self.access.certificates and (self.tls is None or self.tls.client_ca is None):
            raise EndpointError("access.certificates: expected tls with client_ca, without which none are verified")
        self.cors()

    def cors(self) -> Cors | None:
        """The rule for web pages of other origins. Raises EndpointError for an origin that is none."""
        try:
            return Cors(self.cors_origins) if self.cors_origins else None
        except ValueError as error:
            raise EndpointError(str(error)) from error


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
        self._tls: ServerTls | None = None
        self.app = self._application()

    def __repr__(self) -> str:
        state = "draining" if self._draining else "listening" if self._address else "inert"
        return f"<Endpoint {self.host}:{self._address[1] if self._address else self.port} {state}>"

    @property
    def url(self) -> str:
        """`http://host:port`, or `https://`, without a slash at the end, with the real port when 0 was asked for.

        Raises EndpointError before `start`.
        """
        if self._address is None:
            raise EndpointError("the endpoint has no address before it is started")
        host, port = self._address
        scheme = "http" if self.options.tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

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

        Raises EndpointError naming the address that cannot be listened on, or the files of TLS that cannot be used.
        """
        if self._runner is not None or self._draining:
            raise EndpointError("an endpoint starts once")
        tls = self._server_tls()
        context = None if tls is None else tls.server_context()
        self._runner = runner = Runner(
            self.app, self._express, limits=self.options.connections, shutdown_timeout=self.options.drain_seconds
        )
        try:
            await runner.setup()
            await Site(runner, self.host, self.port, ssl_context=context).start()
        except OSError as error:
            await self.stop()
            raise EndpointError(f"cannot listen on {self.host}:{self.port}: {_why(error)}") from error
        except EndpointError:
            await self.stop()
            raise
        host, port = runner.addresses[0][:2]
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
        options = self.options
        execution = Execution(threads=options.threads, metrics=self.metrics)
        admission = Admission(requests_max=options.requests_max, body_bytes_max=options.all_bodies_bytes_max)
        self._traffic = TrafficParts(options.traffic, self.repository, execution, registry=self.metrics.registry)
        routes = Routes(
            repository=self.repository,
            traffic=self._traffic.traffic,
            execution=execution,
            admission=admission,
            metrics=self.metrics,
            not_ready_because=self.not_ready_because,
            plain_model=options.plain_model,
            max_body_bytes=options.max_body_bytes,
            body_seconds=options.connections.body_seconds,
            page=options.page,
            traffic_api=options.traffic.api,
            control=options.repository_control,
        )
        telemetry = Telemetry(options.telemetry, self.metrics.registry)
        self._express = self._express_beside(routes) if not telemetry.watches else None
        door = Door(lambda: self._draining, routes.area, telemetry, access=options.access, cors=options.cors())
        app = web.Application(middlewares=[middleware(door)])
        app.add_routes([*routes.table(), *self._traffic.table(admission)])
        if options.page:
            app.add_routes(Page(self.repository, self.metrics, self.not_ready_because).table())
        if self.options.repository_control:
            control = ControlRoutes(self.repository, routes.admission, self.options.max_body_bytes)
            app.add_routes(control.table())
        app.on_shutdown.append(self._drain)

        async def background(_: web.Application) -> AsyncIterator[None]:
            telemetry.start()
            watch = asyncio.create_task(self.repository.run(), name="windlass-serving-watch")
            try:
                yield
            finally:
                watch.cancel()
                await asyncio.wait({watch})
                execution.close()
                if options.access is not None:
                    await options.access.close()
                await telemetry.stop()

        app.cleanup_ctx.append(background)
        app.cleanup_ctx.append(self._traffic.lifetime)
        if options.grpc_port is not None:
            app.cleanup_ctx.append(partial(self._grpc, execution, admission, telemetry))
        return app

    def _express_beside(self, routes: Routes) -> Express | None:
        """What answers small models at once; None where each request is looked at by somebody else first."""
        if self.options.access is not None or self.options.cors_origins:
            return None
        return Express(
            repository=self.repository,
            traffic=routes.traffic,
            execution=routes.execution,
            admission=routes.admission,
            metrics=self.metrics,
            plain_model=self.options.plain_model,
            max_body_bytes=self.options.max_body_bytes,
            draining=lambda: self._draining,
        )

    async def _grpc(
        self, execution: Execution, admission: Admission, telemetry: Telemetry, _: web.Application
    ) -> AsyncIterator[None]:
        try:
            from windlass.serving.grpc import Address, GrpcServer, Service  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise EndpointError(
                f"gRPC needs a library that is missing ({error}): pip install 'windlass[grpc]'"
            ) from error
        options = self.options
        assert options.grpc_port is not None
        service = Service(
            repository=self.repository,
            traffic=self._traffic.traffic,
            execution=execution,
            admission=admission,
            metrics=self.metrics,
            telemetry=telemetry,
            not_ready_because=self.not_ready_because,
            access=options.access,
            limits=options.connections,
            control=options.repository_control,
        )
        address = Address(self.host, options.grpc_port, self._server_tls())
        server = GrpcServer(service, address, max_message_bytes=options.max_body_bytes)
        self._grpc_port = await server.start()
        self._grpc_server = server
        try:
            yield
        finally:
            self._grpc_port = None
            await server.stop()

    def _server_tls(self) -> ServerTls | None:
        """The one that both protocols share. Raises EndpointError naming the files that cannot be used."""
        if self._tls is None and self.options.tls is not None:
            self._tls = ServerTls(self.options.tls)
        return self._tls

    async def _drain(self, _: web.Application) -> None:
        self._draining = True
        if self._grpc_server is not None:
            self._grpc_server.drain(self.options.drain_seconds)


def app(
    repository: ModelRepository,
    *,
    registry: CollectorRegistry | None = None,
    options: EndpointOptions | None = None,
) -> web.Application:
    """What an aiohttp application of one's own mounts, with `add_subapp`, to serve the repository below a prefix.

    The application starts and stops it with itself. Its connections, their limits and TLS are the application's;
    `options.tls` is for gRPC alone, which has a port of its own here, too. An application lets requests under way
    finish, and cuts off those of clients that hung up, only if its runner is told so: see docs/how-to/embedding.md.
    """
    return Endpoint(repository, registry=registry, options=options).app


def _why(error: OSError) -> str:
    # asyncio wraps the system's words into its own ("[Errno 98] error while attempting to bind on address …"); the
    # system's are enough.
    with contextlib.suppress(TypeError, ValueError):
        if error.errno is not None and error.errno > 0:
            return os.strerror(error.errno).lower()
    return str(error.strerror or error)
