"""One HTTP server tells whether the process lives, whether it is ready, what it counted and what it is doing.

Paths: `/healthz`, `/readyz` (200 or 503, one line for each check), `/metrics` (Prometheus text), `/debug/controllers`
(JSON). Loopback unless the settings say otherwise. Readiness does not depend on leadership, or rolling updates would
stall (M9). This module reads; it changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from windlass.controller.controller import Controller
from windlass.controller.errors import ManagerError

__all__ = ("Check", "ProbeServer", "describe_controller")

Check = Callable[[], str | None]
"""None when all is well, otherwise one line saying what is not."""

_DEBUG_KEYS_MAX = 20


class ProbeServer:
    """Serves the probes while entered. `address` is where it listens."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        registry: CollectorRegistry,
        controllers: Callable[[], Iterable[Controller]],
        live: Mapping[str, Check],
        ready: Mapping[str, Check],
    ) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._controllers = controllers
        self._live = live
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen. Raises ManagerError, naming the address, if that is not possible."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/debug/controllers", self._debug)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise ManagerError(
                f"the probe server cannot listen on {self._host}:{self._port}: {error.strerror or error}; "
                "choose another Settings.probe_port, 0 for any free one"
            ) from error
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        if self._runner is None:
            raise ManagerError("the probe server does not listen")
        host, port, *_ = self._runner.addresses[0]
        return str(host), int(port)

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self._live)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._ready)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _debug(self, _: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        return web.json_response({"controllers": [describe_controller(one, now) for one in self._controllers()]})


def describe_controller(controller: Controller, now: float) -> dict[str, Any]:
    """The debug page's entry of one controller: its queue, its workers, its last errors. Durations in seconds."""
    schedule, statistics = controller.queue.schedule, controller.statistics
    oldest = schedule.oldest()
    running = sorted(schedule.running.items(), key=lambda one: one[1])[:_DEBUG_KEYS_MAX]
    return {
        "name": controller.name,
        "ready": controller.is_ready,
        "queue": {
            "ready": len(schedule),
            "by_priority": {str(priority): count for priority, count in schedule.depths().items()},
            "waiting": schedule.waiting,
            "rerun": schedule.held,
            "oldest": None if oldest is None else {"key": str(oldest[0]), "seconds": round(now - oldest[1], 3)},
        },
        "workers": {
            "all": controller.spec.workers,
            "active": statistics.active_workers,
            "running": [{"key": str(key), "seconds": round(now - started, 3)} for key, started in running],
        },
        "results": dict(statistics.results),
        "last_errors": [{"time": one.time, "key": one.key, "error": one.error} for one in statistics.last_errors],
    }


def _answer(checks: Mapping[str, Check]) -> web.Response:
    found = {name: check() for name, check in checks.items()}
    lines = [f"[+] {name} ok" if problem is None else f"[-] {name}: {problem}" for name, problem in found.items()]
    failed = any(problem is not None for problem in found.values())
    return web.Response(status=503 if failed else 200, text="\n".join([*lines, "failed" if failed else "ok", ""]))
