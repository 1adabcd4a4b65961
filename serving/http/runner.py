"""What cannot be read as HTTP is refused in JSON, too (R10), and a connection that makes no progress is closed.

aiohttp answers the former before any route or middleware of ours: a malformed request line or header, a header that is
too long, a compressed body that is cut off. The latter costs a request nothing: timers run only while a head is
incomplete or an answer is not taken. Mounted in somebody else's application, the endpoint leaves both to them.
"""

import asyncio
import ssl
from typing import Any

import msgspec
from aiohttp import StreamReader, web
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.web_request import BaseRequest

from windlass.serving.http.express import Express
from windlass.serving.http.limits import ConnectionLimits
from windlass.serving.http.middleware import JSON

__all__ = ("Runner", "Site")

_TOO_MANY = b'{"error":"the server has as many connections as it may have"}'


class _Connection(web.RequestHandler):
    """A connection with limits. It is in the table of its server until the last byte has left or it was cut off."""

    __slots__ = ("_express", "_head_timer", "_limits", "_queue", "_stall_left", "_stall_timer", "_wire")

    def __init__(self, server: "_Server", **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._limits = server.limits
        self._express = server.express
        self._queue = server.queue
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._stall_left = 0
        # aiohttp forgets its transport when it closes, though bytes may still have to leave.
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As aiohttp's; one too many is told so and closed."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        manager = self._manager
        if manager is not None and len(manager.connections) > self._limits.connections_max:
            transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_TOO_MANY), _TOO_MANY)
            )
            self.force_close()

    async def start(self) -> None:
        """As aiohttp's, but what has not left at the end must leave: a transport waits for that for ever."""
        try:
            await super().start()
        finally:
            self._watch_stall()

    def connection_lost(self, exc: BaseException | None) -> None:
        """As aiohttp's."""
        self._wire = None
        self._stop_head_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As aiohttp's, but a request whose body turns out to be unreadable learns of it.

        aiohttp queues the refusal behind the request, which then waits for the rest of its body for ever.
        """
        # Without its waiter aiohttp only reads, and does not wake its task before it is known to be needed. So it is
        # until the end of this, because whoever reads a body calls this method again.
        waiter, self._waiter = self._waiter, None
        super().data_received(data)
        self._waiter = waiter
        if not self._messages:
            # It waits for a request and yet was given bytes: a head has begun and is not complete.
            if waiter is not None and self._head_timer is None and not self._force_close:
                self._head_timer = self._loop.call_later(self._limits.head_seconds, self._head_overdue)
            return
        self._stop_head_timer()
        if waiter is not None and not waiter.done():
            if self._may_be_answered_soon():
                self._queue.add(self)
                return
            waiter.set_result(None)
        if isinstance(self._messages[-1][0], RawRequestMessage):
            return
        bodies = [payload for _, payload in self._messages]
        if self._current_request is not None:
            bodies.append(self._current_request.content)
        for body in bodies:
            if not body.is_eof():
                body.set_exception(web.RequestPayloadError("it is not in the encoding that it names, or is cut off"))

    def close(self) -> None:
        """As aiohttp's; what is in the queue is answered before."""
        self._queue.empty()
        super().close()

    def answer(self) -> None:
        """Answer the only request there is, if that can be done here and now, unseen by aiohttp; else wake its task."""
        # As in data_received, which reading the body calls.
        waiter, self._waiter = self._waiter, None
        answered = waiter is not None and not waiter.done() and self._answered()
        self._waiter = waiter
        if waiter is not None and not waiter.done() and not answered:
            waiter.set_result(None)

    def _may_be_answered_soon(self) -> bool:
        if self._express is None or len(self._messages) != 1 or self._paused or self._wire is None:
            return False
        message, payload = self._messages[0]
        # Without the handle nothing would ever close the connection; aiohttp watches it from its first answer on.
        return self._keepalive_handle is not None and isinstance(message, RawRequestMessage) and payload.is_eof()

    def _answered(self) -> bool:
        if not self._may_be_answered_soon():
            return False
        assert self._express is not None
        assert self._wire is not None
        message, payload = self._messages[0]
        assert isinstance(message, RawRequestMessage)
        offer = self._express.offer(message, payload.total_bytes)
        if offer is None:
            return False
        body = payload.read_nowait()
        response = offer(body)
        if response is None:
            again = StreamReader(self, 2**16, loop=self._loop)
            again.feed_data(body)
            again.feed_eof()
            self._messages[0] = message, again
            return False
        self._messages.popleft()
        # Versions from 3.14 on count what waits to be answered; before, the parser has another name.
        consumed = getattr(getattr(self, "_parser", None), "message_consumed", None)
        if consumed is not None:
            consumed()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        self._wire.write(response)
        return True

    def pause_writing(self) -> None:
        """As aiohttp's; more waits to leave than the client takes, so from now on it is watched."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """As aiohttp's."""
        super().resume_writing()
        if not self._force_close:
            self._stop_stall_timer()

    def force_close(self) -> None:
        """As aiohttp's, and what has not left by then must leave, too."""
        super().force_close()
        self._watch_stall()

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """As aiohttp's, but what a client did wrong is not put into the log: anybody could fill it with tracebacks."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError | HttpProcessingError):
            super().log_exception(*args, **kw)

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

    def _head_overdue(self) -> None:
        self._head_timer = None
        self.force_close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_stall(self) -> None:
        if self._wire is not None and self._stall_timer is None:
            self._stall_left = self._wire.get_write_buffer_size()
            self._stall_timer = self._loop.call_later(self._limits.stall_seconds, self._stalled)

    def _stalled(self) -> None:
        self._stall_timer = None
        if self._wire is None:
            return
        if self._wire.get_write_buffer_size() >= self._stall_left:
            self._wire.abort()
        else:
            self._watch_stall()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


class _Queue:
    """The connections whose request is answered in the loop's next turn.

    Answered while it is read, the last one of a turn would have its client's next request just miss the next turn, and
    wait for a whole further one: one in so many requests as there are busy connections would take twice as long.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[_Connection] = []

    def add(self, connection: _Connection) -> None:
        """At the end of the queue."""
        if not self._waiting:
            self._loop.call_soon(self.empty)
        self._waiting.append(connection)

    def empty(self) -> None:
        """Answer all."""
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.answer()


class _Server(web.Server):
    limits: ConnectionLimits
    express: Express | None
    queue: _Queue

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner that speaks JSON from the first byte on, and keeps the limits of connections."""

    def __init__(
        self, app: web.Application, express: Express | None, *, limits: ConnectionLimits, shutdown_timeout: float
    ) -> None:
        super().__init__(
            app,
            handler_cancellation=True,  # a client that hung up must not be computed for (DB21)
            shutdown_timeout=shutdown_timeout,
            keepalive_timeout=limits.idle_seconds,
            lingering_time=limits.head_seconds,  # so long is read, and dropped, what a refused client still sends
            access_log=None,
        )
        self.limits = limits
        self.express = express

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # There is no public way to choose the class of a connection; without this line errors are plain text again.
        server.__class__ = _Server
        assert isinstance(server, _Server)
        server.limits = self.limits
        server.express = self.express
        server.queue = _Queue(asyncio.get_running_loop())
        return server


class Site(web.TCPSite):
    """A TCPSite whose TLS handshakes have a limit, too."""

    def __init__(self, runner: Runner, host: str, port: int, *, ssl_context: ssl.SSLContext | None = None) -> None:
        super().__init__(runner, host, port, ssl_context=ssl_context)
        self._limits = runner.limits

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be listened on."""
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=None if self._ssl_context is None else self._limits.head_seconds,
        )
