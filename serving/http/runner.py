"""What cannot be read as HTTP is refused in JSON, too, like every other error (R10).

aiohttp answers those before any route or middleware of ours: a malformed request line or header, a header that is too
long, a compressed body that is cut off. Mounted in somebody else's application, the endpoint leaves that to them.
"""

import msgspec
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.web_request import BaseRequest

from windlass.serving.http.middleware import JSON

__all__ = ("Runner",)


class _Connection(web.RequestHandler):
    def data_received(self, data: bytes) -> None:
        """As aiohttp's, but a request whose body turns out to be unreadable learns of it.

        aiohttp queues the refusal behind the request, which then waits for the rest of its body for ever.
        """
        super().data_received(data)
        if not self._messages or isinstance(self._messages[-1][0], RawRequestMessage):
            return
        bodies = [payload for _, payload in self._messages]
        if self._current_request is not None:
            bodies.append(self._current_request.content)
        for body in bodies:
            if not body.is_eof():
                body.set_exception(web.RequestPayloadError("it is not in the encoding that it names, or is cut off"))

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
