"""What cannot be read as HTTP is refused in JSON, too, like every other error (R10).

aiohttp answers those before any route or middleware of ours: a malformed request line or header, a header that is too
long, a compressed body that is cut off. Mounted in somebody else's application, the endpoint leaves that to them.
"""

import msgspec
from aiohttp import web
from aiohttp.web_request import BaseRequest

from windlass.serving.http import JSON

__all__ = ("Runner",)


class _Connection(web.RequestHandler):
    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Aiohttp's own answer, with its sentence as JSON; like that one it closes the connection."""
        theirs = super().handle_error(request, status, exc, message)
        # Their sentences span lines and point at the place with a caret.
        why = " ".join((message or "it was not understood").split()).rstrip(" ^")
        body = msgspec.json.encode({"error": f"the request cannot be read: {why}"})
        ours = web.Response(body=body, status=theirs.status, headers=JSON)
        ours.force_close()
        return ours


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner that speaks JSON from the first byte on."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # There is no public way to choose the class of a connection; without this line errors are plain text again.
        server.__class__ = _Server
        return server
