"""A client sends request values to one server and gives back bytes; whatever goes wrong is a member of our error tree.

Watches hold their connections for minutes and can never starve calls, for there are as many connections as are asked
for at once. Connecting is bounded, and so is silence between bytes; the whole of a response is not, for a large list
may take its time (R17).

This module does not know what the bytes mean.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Protocol, Self

import attrs

from windlass.informers.cluster import Cluster
from windlass.informers.errors import (
    ApiError,
    ConfigError,
    ConnectionFailed,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from windlass.informers.http.address import Address
from windlass.informers.http.body import Body
from windlass.informers.http.connection import Connection
from windlass.informers.http.dialing import Dialer
from windlass.informers.http.fields import Fields
from windlass.informers.http.head import Heads
from windlass.informers.http.pool import Pool
from windlass.informers.http.proxies import proxy_of_environment
from windlass.informers.http.reasons import NoAnswer, reason_of
from windlass.informers.requests import Request
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
    """Seconds. `connect_seconds` bounds the way to the server: name, TCP, proxy and TLS together.

    `silence_seconds` bounds the wait for the first byte, sending included, and between bytes; there is no total.
    """

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
            return await self.content.read(silence_seconds)
        except TimeoutError as error:
            message = f"{self.request.what}: {self._address} was silent for {silence_seconds:.0f} s"
            raise ConnectionFailed(message, request=self.request) from error
        except (NoAnswer, OSError) as error:
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
        self._pool: Pool | None = None
        self._heads: Heads | None = None
        self._way: tuple[Cluster, tuple[str, str] | None] = (cluster, None)
        self._retired: list[Pool] = []
        self._warnings: set[str] = set()

    async def __aenter__(self) -> Self:
        if self._pool is not None:
            raise RuntimeError("the client is open already")
        await self.cluster.credentials.header()
        self._pool = self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pools = [pool for pool in (self._pool, *self._retired) if pool is not None]
        self._pool, self._retired = None, []
        for pool in pools:
            await pool.close()

    async def send(self, request: Request, *, retries: int | None = None) -> Response:
        """Send, and return the complete answer.

        Raises ApiError for a refusal, ConnectionFailed when there is no answer, ConfigError for a request that cannot
        be written as HTTP.
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

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        """Send, and hand out the body as it comes. No retries but one after a 401. Raises as `send` does."""
        if self.cluster.wire is None:
            return self._stream(request)
        return self.cluster.wire.carry(request, lambda: self._stream(request))

    async def _answer(self, request: Request) -> Response:
        if self.cluster.wire is not None:
            async with self.stream(request) as stream:
                return await self._whole(stream)
        connection = await self._answered(request, whole=True)
        try:
            return Response(connection.status, Fields(connection.fields), connection.take())
        finally:
            connection.finish()

    async def _whole(self, stream: Stream) -> Response:
        parts = []
        while part := await stream.read(self._timeouts.silence_seconds):
            parts.append(part)
        return Response(stream.status, stream.headers, parts[0] if len(parts) == 1 else b"".join(parts))

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncIterator[Stream]:
        connection = await self._answered(request, whole=False)
        body = Body(connection)
        try:
            yield Stream(connection.status, Fields(connection.fields), request, body, self.cluster.server)
        finally:
            body.leave()

    async def _answered(self, request: Request, *, whole: bool) -> Connection:
        """A connection that has the answer's head, or all of it; every request passes here, once."""
        header = await self.cluster.credentials.header()
        try:
            return await self._exchange(request, header, whole=whole)
        except Unauthorized as error:
            fresh = await self.cluster.credentials.header(refused=header)
            if fresh is None or fresh == header:
                raise
            self._again(request, error)
            return await self._exchange(request, fresh, whole=whole)

    async def _exchange(self, request: Request, authorization: str | None, *, whole: bool) -> Connection:
        loop = asyncio.get_running_loop()
        started = loop.time()
        code = "<error>"
        try:
            connection = await self._request(request, authorization, whole=whole)
            code = str(connection.status)
            self._hear(request, connection)
            if connection.status >= 300:
                raise await self._refusal(request, connection)
            return connection
        finally:
            if self.observer is not None:
                self.observer.called(request, code, loop.time() - started)

    async def _request(self, request: Request, authorization: str | None, *, whole: bool) -> Connection:
        pool, heads = self._current()
        if pool.loop is not asyncio.get_running_loop():
            raise RuntimeError("the client belongs to another event loop, and cannot be used from here")
        try:
            sent = _bytes(heads, request, authorization)
        except ValueError as error:
            raise ConfigError(f"{request.what}: {error}") from error
        try:
            return await pool.ask(sent, self._timeouts.silence_seconds, whole=whole, safe=request.is_safe)
        except NoAnswer as error:
            raise self._failed(request, error, sent=error.sent) from error
        except OSError as error:  # silence is one
            raise self._failed(request, error, sent=True) from error

    async def _refusal(self, request: Request, connection: Connection) -> ApiError:
        try:
            await connection.whole(self._timeouts.silence_seconds)
            status, fields, body = connection.status, connection.fields, connection.take()
        except (NoAnswer, OSError) as error:
            raise self._failed(request, error, sent=True) from error
        finally:
            connection.finish()
        after = Fields(fields).get("Retry-After", "")
        seconds = float(after) if after.isascii() and after.isdigit() else None
        return ApiError.of(status, body, request=request, retry_after_seconds=seconds)

    def _failed(self, request: Request, error: Exception, *, sent: bool) -> ConnectionFailed:
        message = f"{request.what}: no answer from {self.cluster.server}: {reason_of(error)}"
        return ConnectionFailed(message, request=request, sent=sent)

    def _again(self, request: Request, error: ApiError) -> None:
        if self.observer is not None:
            self.observer.retried(request, str(error.status_code))

    def _hear(self, request: Request, connection: Connection) -> None:
        for name, value in connection.fields:
            if len(name) != len(b"warning") or name.lower() != b"warning":
                continue
            for text in _WARNING.findall(value.decode("utf-8", "replace")):
                if text not in self._warnings and len(self._warnings) < WARNINGS_MAX:
                    self._warnings.add(text)
                    log.warning("%s: the server warns: %s", request.what, re.sub(r"\\(.)", r"\1", text))

    def _current(self) -> tuple[Pool, Heads]:
        if self._pool is None or self._heads is None:
            raise RuntimeError("the client is not open: use `async with client:`")
        cluster, certificate = self._way
        if self.cluster is not cluster or self.cluster.credentials.certificate != certificate:
            # An exec plugin has issued a new certificate; running streams keep their connections until they end.
            self._pool.retire()
            self._retired = [pool for pool in (*self._retired, self._pool) if len(pool)]
            self._pool = self._open()
        return self._pool, self._heads

    def _open(self) -> Pool:
        self._way = (self.cluster, self.cluster.credentials.certificate)
        address = _address("server", self.cluster.server)
        if address.user is not None:
            raise ConfigError(f"server: {address}: expected no name and password, which belong to the user's entry")
        try:
            by = _address("proxy-url", self.cluster.proxy) if self.cluster.proxy else proxy_of_environment(address)
            self._heads = Heads(address, self.user_agent, proxy=None if address.tls else by)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        tls, name = self.cluster.ssl_context(), self.cluster.tls_server_name
        try:
            return Pool(Dialer(address, tls, name, by, self._timeouts.connect_seconds))
        except ValueError as error:
            raise ConfigError(f"tls-server-name: {error}") from error

    def __repr__(self) -> str:
        return f"<Client {self.cluster.server} {'open' if self._pool is not None else 'closed'}>"


def _address(field: str, url: str) -> Address:
    try:
        return Address.parse(url)
    except ValueError as error:
        raise ConfigError(f"{field}: {error}") from error


def _bytes(heads: Heads, request: Request, authorization: str | None) -> bytes:
    """The request as it goes on the wire. Raises ValueError for what cannot stand in a head."""
    fields = [("Accept", request.accept)]
    if authorization is not None:
        fields.append(("Authorization", authorization))
    if request.body is None:
        return heads.head(request.method, request.target, *fields)
    fields.append(("Content-Type", request.content_type))
    return heads.head(request.method, request.target, *fields, length=len(request.body)) + request.body


def _retry_after(request: Request, error: ApiError) -> float | None:
    """Seconds to wait before another attempt; None when there must not be one."""
    if isinstance(error, TooManyRequests):
        if any(cause.reason == "DisruptionBudget" for cause in error.causes):
            return None  # an eviction held back by a budget is an answer, not congestion (E-18)
        return error.retry_after_seconds if error.retry_after_seconds is not None else 1.0
    if isinstance(error, ServerError) and error.status_code in (502, 503, 504) and request.is_safe:
        return error.retry_after_seconds
    return None
