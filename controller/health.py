"""One HTTP server tells whether the process lives, whether it is ready, what it counted and what it is doing.

Paths: `/healthz`, `/readyz` (200 or 503, one line for each check), `/metrics` (Prometheus text), `/debug/controllers`
(JSON; `?key=namespace/name` for one object's last runs), and `/debug/NAME?key=namespace/name` for each page that was
added, to which the debug page has links. Loopback unless the settings say otherwise; elsewhere what was counted and
what goes on is for those with the token alone, while the two probes stay open, for kubelets have none. Readiness does
not depend on leadership, or rolling updates would stall (M9). This module reads; it changes nothing.
"""

import asyncio
import hmac
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from windlass.controller.controller import Controller
from windlass.controller.debug import describe_controller
from windlass.controller.errors import ManagerError
from windlass.controller.pages import Page
from windlass.informers.keys import Key

__all__ = ("Check", "ProbeServer")

Check = Callable[[], str | None]
"""None when all is well, otherwise one line saying what is not."""


class ProbeServer:
    """Serves the probes while entered. `address` is where it listens.

    With a `token`, metrics and the debug page answer 401 to requests without `Authorization: Bearer <token>`.
    `details` adds entries of its own to the debug page, `pages` are served beside it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        registry: CollectorRegistry,
        controllers: Callable[[], Iterable[Controller]],
        live: Mapping[str, Check],
        ready: Mapping[str, Check],
        token: str | None = None,
        details: Callable[[], Mapping[str, Any]] = dict,
        pages: Mapping[str, Page] = MappingProxyType({}),
    ) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._controllers = controllers
        self._live = live
        self._ready = ready
        self._token = token
        self._details = details
        self._pages = pages
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen. Raises ManagerError, naming the address, if that is not possible."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/debug/controllers", self._debug)
        app.router.add_get("/debug/{page}", self._page)
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
        self._authorize(request)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _debug(self, request: web.Request) -> web.Response:
        self._authorize(request)
        key = _asked_for(request)
        now = asyncio.get_running_loop().time()
        controllers = [describe_controller(one, now, key=key) for one in self._controllers()]
        of = quote(str(key)) if key is not None else "NAMESPACE/NAME"
        pages = {name: f"/debug/{name}?key={of}" for name in self._pages}
        return web.json_response({"controllers": controllers, "pages": pages, **self._details()})

    async def _page(self, request: web.Request) -> web.Response:
        self._authorize(request)
        page = self._pages.get(request.match_info["page"])
        if page is None:
            known = ", ".join(("controllers", *self._pages))
            raise web.HTTPNotFound(text=f"there is no page of that name; there are {known}\n")
        key = _asked_for(request)
        if key is None:
            raise web.HTTPBadRequest(text="expected ?key=namespace/name\n")
        text = page.show(key)
        if text is None:
            raise web.HTTPNotFound(text=f"{page.name} knows nothing of {key}\n")
        return web.Response(text=text, content_type=page.content_type)

    def _authorize(self, request: web.Request) -> None:
        if self._token is None:
            return
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._token.encode()):
            raise web.HTTPUnauthorized(
                text="send the header `Authorization: Bearer <token>`\n", headers={"WWW-Authenticate": "Bearer"}
            )


def _asked_for(request: web.Request) -> Key | None:
    try:
        return Key.parse(request.query["key"]) if "key" in request.query else None
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error


def _answer(checks: Mapping[str, Check]) -> web.Response:
    found = {name: check() for name, check in checks.items()}
    lines = [f"[+] {name} ok" if problem is None else f"[-] {name}: {problem}" for name, problem in found.items()]
    failed = any(problem is not None for problem in found.values())
    return web.Response(status=503 if failed else 200, text="\n".join([*lines, "failed" if failed else "ok", ""]))
