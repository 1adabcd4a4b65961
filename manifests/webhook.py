"""The conversion webhook answers one path over TLS and keeps nothing: any number of replicas may serve it.

``conversion_application`` is an aiohttp application, for a service that has a server already. ``ConversionServer`` is a
part for a manager (``manager.add(ConversionServer(…), elected=False)``), or runs alone with ``run()``.

This module does not know what a conversion is; ``conversion`` does.
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
from aiohttp import web

from windlass.manifests.conversion import answer
from windlass.manifests.errors import BadReview, WebhookError
from windlass.manifests.versions import Versions

__all__ = ("ConversionServer", "WebhookSettings", "conversion_application")

# An API server sends a whole page of a list at once: 500 objects, and up to 1.5 MB each in the worst case.
_BODY_BYTES_MAX: Final = 64 * 1024 * 1024

_SHUTDOWN_SECONDS: Final = 5.0


def conversion_application(served: Sequence[Versions[Any]], *, path: str = "/convert") -> web.Application:
    """Return an application that answers ``POST path`` with a ConversionReview, and ``GET /healthz``."""
    app = web.Application(client_max_size=_BODY_BYTES_MAX)

    async def convert(request: web.Request) -> web.Response:
        try:
            review = json.loads(await request.read())
            # In a thread: a page of objects and somebody's functions must not hold the loop.
            return web.json_response(await asyncio.to_thread(answer, review, served))
        except (ValueError, BadReview) as error:
            return web.json_response({"error": str(error)}, status=400)

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app.router.add_post(path, convert)
    app.router.add_get("/healthz", healthy)
    return app


@attrs.frozen
class WebhookSettings:
    """Where the webhook listens, and the PEM files that it shows: the certificate (with its chain) and its key.

    Port 0 takes a free one. The files are read again when they change, as those of a mounted Secret do;
    ``reload_seconds`` is how often that is looked at.
    """

    certificate: Path
    key: Path
    host: str = "0.0.0.0"  # noqa: S104 - the API server comes from outside of the pod
    port: int = 9443
    path: str = "/convert"
    reload_seconds: float = 60.0


class ConversionServer:
    """Serves conversions until it is cancelled. ``run`` raises ``WebhookError`` if it cannot start."""

    name = "conversion-webhook"

    def __init__(self, served: Sequence[Versions[Any]], settings: WebhookSettings) -> None:
        self._served = tuple(served)
        self._settings = settings
        self._ready = asyncio.Event()
        self._port = 0

    async def ready(self) -> None:
        """Return once requests are answered."""
        await self._ready.wait()

    @property
    def port(self) -> int:
        """The port that is listened on, 0 before that."""
        return self._port

    async def run(self) -> None:
        """Serve until cancelled. Raises ``WebhookError`` for a certificate or a port that cannot be used."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        stamp = self._load(context)
        runner = web.AppRunner(
            conversion_application(self._served, path=self._settings.path),
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await runner.setup()
        try:
            await self._listen(runner, context)
            while True:
                await asyncio.sleep(self._settings.reload_seconds)
                if self._stamp() != stamp:
                    stamp = self._load(context)  # new connections are shown the new certificate
        finally:
            self._ready.clear()
            await _close(runner)

    async def _listen(self, runner: web.AppRunner, context: ssl.SSLContext) -> None:
        site = web.TCPSite(runner, self._settings.host, self._settings.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise WebhookError(f"cannot listen on {self._settings.host}:{self._settings.port}: {error}") from error
        self._port = runner.addresses[0][1]
        self._ready.set()

    def _load(self, context: ssl.SSLContext) -> tuple[float, ...]:
        stamp = self._stamp()
        try:
            context.load_cert_chain(self._settings.certificate, self._settings.key)
        except (OSError, ssl.SSLError) as error:
            files = f"{self._settings.certificate} and {self._settings.key}"
            raise WebhookError(f"expected a certificate and its key in {files}, found: {error}") from error
        return stamp

    def _stamp(self) -> tuple[float, ...]:
        try:
            return tuple(file.stat().st_mtime for file in (self._settings.certificate, self._settings.key))
        except OSError as error:
            raise WebhookError(f"cannot read {error.filename}: {error.strerror}") from error


async def _close(runner: web.AppRunner) -> None:
    """Let requests finish, then drop the connections: TLS would wait for each peer to say goodbye."""
    connections = runner.server.connections if runner.server is not None else []
    transports = [each.transport for each in connections if each.transport is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)  # they are closed in the loop's next round
