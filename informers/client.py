"""A client sends request values to one server and gives back bytes; whatever goes wrong is a member of our error tree.

Two pools of connections: watches, each of which holds its connection for minutes, can never starve calls. Connecting is
bounded, and so is silence between bytes; the whole of a response is not, for a large list may take its time (R17).

This module does not know what the bytes mean.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Protocol, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
import attrs
from yarl import URL

from windlass.informers.cluster import Cluster
from windlass.informers.errors import ApiError, ConnectionFailed, ServerError, TooManyRequests, Unauthorized
from windlass.informers.reasons import reason_of
from windlass.informers.requests import Request
from windlass.informers.sockets import Sockets
from windlass.informers.wire import Source

__all__ = ("CallObserver", "Client", "Response", "Stream", "Timeouts")

log = logging.getLogger(__name__)

WARNINGS_MAX = 1000  # distinct texts remembered, each of which is logged once
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


def _version() -> str:
    try:
        return version("windlass")
    except PackageNotFoundError:
        return "dev"


@attrs.frozen
class Timeouts:
    """Seconds. `silence_seconds` bounds the wait for the first byte and between bytes; there is no total."""

    connect_seconds: float = 10.0
    silence_seconds: float = 60.0


@attrs.frozen
class Response:
    """An answer of the 2xx range, complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


class CallObserver(Protocol):
    """Who wants to know of every exchange: metrics."""

    def called(self, request: Request, code: str, seconds: float) -> None:
        """One exchange is over; `code` is the HTTP status, or `<error>` when there was none."""

    def retried(self, request: Request, code: str) -> None:
        """The request is about to be sent again, because it was answered with `code`."""


@attrs.frozen
class Stream:
    """An answer whose body is still coming."""

    status: int
    headers: Mapping[str, str]
    request: Request
    content: Source
    _address: str

    async def read(self, silence_seconds: float) -> bytes:
        """The next bytes, as many as there are; b"" at the clean end.

        Raises ConnectionFailed when the connection breaks or nothing comes for `silence_seconds`.
        """
        try:
            if isinstance(self.content, aiohttp.StreamReader) and self.content.is_eof():
                return await self.content.readany()  # all of it is here, so a timer would be set for nothing
            async with asyncio.timeout(silence_seconds):
                return await self.content.readany()
        except TimeoutError as error:
            message = f"{self.request.what}: {self._address} was silent for {silence_seconds:.0f} s"
            raise ConnectionFailed(message, request=self.request) from error
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            message = f"{self.request.what}: the stream from {self._address} broke: {reason_of(error)}"
            raise ConnectionFailed(message, request=self.request) from error


class Client:
    """The way to one API server. Inert until entered: `async with client: …`.

    Guarantees: an answer outside 2xx is raised as ApiError, never returned; a 401 is tried once more with fresh
    credentials; 429 with Retry-After is waited out and tried again, `retries` times (the server has done nothing), and
    so are 502, 503 and 504 for reads. Warnings of the server (old versions, unknown fields) are logged, each text once.
    """

    dry_run: bool = False
    """Whether writes are checked and not stored, so that no cache will ever show them."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        user_agent: str | None = None,
        timeouts: Timeouts = Timeouts(),
        retries: int = 4,
        observer: CallObserver | None = None,
    ) -> None:
        self.cluster = cluster
        self.user_agent = user_agent or f"windlass/{_version()}"  # the server names field managers after its first word
        self.observer = observer
        self.streaming_lists: bool | None = None  # learnt by informers: does this server offer sendInitialEvents?
        self._timeouts = timeouts
        self._retries = retries
        self._calls: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._certificate: tuple[str, str] | None = None
        self._retired: list[aiohttp.ClientSession] = []
        self._sockets = Sockets()
        self._proxy = cluster.proxy or _proxy_of_environment(cluster.server)
        self._warnings: set[str] = set()

    async def __aenter__(self) -> Self:
        await self.cluster.credentials.header()
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sessions = [session for session in (self._calls, self._streams, *self._retired) if session is not None]
        self._calls = self._streams = None
        self._retired = []
        for session in sessions:
            await session.close()
        await self._sockets.end()
        await asyncio.sleep(0)  # transports close in the loop's next turn; without it the loop may end before

    async def send(self, request: Request, *, retries: int | None = None) -> Response:
        """Send, and return the complete answer.

        Raises ApiError for a refusal, ConnectionFailed when there is no answer.
        """
        left = self._retries if retries is None else retries
        while True:
            try:
                return await self._answer(request)
            except ApiError as error:
                delay = _retry_after(request, error)
                if delay is None or left <= 0:
                    raise
                self._again(request, error)
            left -= 1
            await asyncio.sleep(delay)

    def stream(self, request: Request, *, calls: bool = False) -> AbstractAsyncContextManager[Stream]:
        """Send, and hand out the body as it comes. No retries but one after a 401. Raises as `send` does."""
        if self.cluster.wire is None:
            return self._stream(request, calls=calls)
        return self.cluster.wire.carry(request, lambda: self._stream(request, calls=calls))

    async def _answer(self, request: Request) -> Response:
        if self.cluster.wire is not None:
            async with self.stream(request, calls=True) as stream:
                return await self._whole(stream)
        # What `stream` does, without its generator, for every call of every reconciler comes through here.
        response = await self._opened(request, calls=True)
        try:
            return await self._whole(self._stream_of(request, response))
        finally:
            _give_up(response)

    async def _whole(self, stream: Stream) -> Response:
        parts = []
        while part := await stream.read(self._timeouts.silence_seconds):
            parts.append(part)
        return Response(stream.status, stream.headers, parts[0] if len(parts) == 1 else b"".join(parts))

    @asynccontextmanager
    async def _stream(self, request: Request, *, calls: bool) -> AsyncIterator[Stream]:
        response = await self._opened(request, calls=calls)
        try:
            yield self._stream_of(request, response)
        finally:
            _give_up(response)

    def _stream_of(self, request: Request, response: aiohttp.ClientResponse) -> Stream:
        return Stream(response.status, response.headers, request, response.content, self.cluster.server)

    async def _opened(self, request: Request, *, calls: bool) -> aiohttp.ClientResponse:
        """The answer's head; every request passes here, once."""
        header = await self.cluster.credentials.header()
        try:
            return await self._exchange(request, header, calls=calls)
        except Unauthorized as error:
            fresh = await self.cluster.credentials.header(refused=header)
            if fresh is None or fresh == header:
                raise
            self._again(request, error)
            return await self._exchange(request, fresh, calls=calls)

    async def _exchange(self, request: Request, authorization: str | None, *, calls: bool) -> aiohttp.ClientResponse:
        loop = asyncio.get_running_loop()
        started = loop.time()
        code = "<error>"
        try:
            response = await self._request(request, authorization, calls=calls)
            code = str(response.status)
            if "Warning" in response.headers:
                self._hear(request, response.headers.getall("Warning"))
            if response.status >= 300:
                raise await self._refusal(request, response)
            return response
        finally:
            if self.observer is not None:
                self.observer.called(request, code, loop.time() - started)

    async def _request(self, request: Request, authorization: str | None, *, calls: bool) -> aiohttp.ClientResponse:
        session = self._session(calls=calls)
        headers = {"Accept": request.accept}
        if authorization is not None:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        try:
            # Connecting has its own, shorter limit; a peer that accepts and then says nothing runs into this one (R16).
            async with asyncio.timeout(self._timeouts.connect_seconds + self._timeouts.silence_seconds):
                return await session.request(
                    request.method,
                    URL(self.cluster.server + request.target, encoded=True),
                    data=request.body,
                    headers=headers,
                    proxy=self._proxy,
                    server_hostname=self.cluster.tls_server_name,
                    allow_redirects=False,
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._failed(request, error, sent=False) from error
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:  # TimeoutError is an OSError
            raise self._failed(request, error, sent=True) from error

    async def _refusal(self, request: Request, response: aiohttp.ClientResponse) -> ApiError:
        try:
            async with asyncio.timeout(self._timeouts.silence_seconds):
                body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise self._failed(request, error, sent=True) from error
        finally:
            response.release()
        after = response.headers.get("Retry-After", "")
        seconds = float(after) if after.isdigit() else None
        return ApiError.of(response.status, body, request=request, retry_after_seconds=seconds)

    def _failed(self, request: Request, error: Exception, *, sent: bool) -> ConnectionFailed:
        message = f"{request.what}: no answer from {self.cluster.server}: {reason_of(error)}"
        return ConnectionFailed(message, request=request, sent=sent)

    def _again(self, request: Request, error: ApiError) -> None:
        if self.observer is not None:
            self.observer.retried(request, str(error.status_code))

    def _hear(self, request: Request, headers: Iterable[str]) -> None:
        for text in _WARNING.findall(", ".join(headers)):
            if text not in self._warnings and len(self._warnings) < WARNINGS_MAX:
                self._warnings.add(text)
                log.warning("%s: the server warns: %s", request.what, re.sub(r"\\(.)", r"\1", text))

    def _session(self, *, calls: bool) -> aiohttp.ClientSession:
        if self._calls is None or self._streams is None:
            raise RuntimeError("the client is not open: use `async with client:`")
        if self.cluster.credentials.certificate != self._certificate:
            # An exec plugin has issued a new certificate; running streams keep their connections until they end.
            self._retired += [self._calls, self._streams]
            self._open()
        return self._calls if calls else self._streams

    def _open(self) -> None:
        self._certificate = self.cluster.credentials.certificate
        self._calls, self._streams = self._new_session(), self._new_session()

    def _new_session(self) -> aiohttp.ClientSession:
        tls = self.cluster.ssl_context()
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=tls if tls is not None else True,
                keepalive_timeout=30.0,
                socket_factory=self._sockets.open,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=None,
                sock_connect=self._timeouts.connect_seconds,
                sock_read=None,
            ),
            # Inflating costs more than a cluster's network does, and on this loop.
            headers={"User-Agent": self.user_agent, "Accept-Encoding": "identity"},
            # ~/.netrc, which comes with the environment's proxies there, must not meddle with our credentials.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**18,
        )

    def __repr__(self) -> str:
        return f"<Client {self.cluster.server} {'open' if self._calls is not None else 'closed'}>"


def _proxy_of_environment(server: str) -> str | None:
    """What HTTP_PROXY, HTTPS_PROXY and NO_PROXY say of this server."""
    url = URL(server)
    if url.host is None or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)


def _give_up(response: aiohttp.ClientResponse) -> None:
    """Give the connection back after the whole body; else drop it, without the farewell that TLS would wait for."""
    connection = response.connection
    if connection is None or response.content.at_eof():
        response.release()
        return
    if connection.transport is not None:
        connection.transport.abort()
    response.close()


def _retry_after(request: Request, error: ApiError) -> float | None:
    """Seconds to wait before another attempt; None when there must not be one."""
    if isinstance(error, TooManyRequests):
        if any(cause.reason == "DisruptionBudget" for cause in error.causes):
            return None  # an eviction held back by a budget is an answer, not congestion (E-18)
        return error.retry_after_seconds if error.retry_after_seconds is not None else 1.0
    if isinstance(error, ServerError) and error.status_code in (502, 503, 504) and request.is_safe:
        return error.retry_after_seconds
    return None
