"""A proxy that understands HTTP: it answers in an API server's place, and alters and adds lines of its watches.

It speaks TLS to its clients if the server does, with a certificate of its own, and passes their tokens on. What it
forwards is the server's own; whatever breaks behind it breaks before it, too. `fault_proxy` knows bytes, not requests.
"""

import contextlib
import functools
import itertools
import json
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
import attrs
from aiohttp import web
from certificates import Authority
from yarl import URL

__all__ = ("Answer", "AnsweringProxy", "any_request", "collections", "lists", "nth", "pages", "watches")

_OWN_HEADERS = ("host", "connection", "content-length", "transfer-encoding", "keep-alive")


def any_request(_):
    """Every request."""
    return True


def watches(request):
    """A watch, a streaming list included."""
    return "watch" in request.query


def lists(request):
    """A list, or a page of one."""
    return request.method == "GET" and "watch" not in request.query and request.path != "/version"


def collections(request):
    """A list or a watch."""
    return lists(request) or watches(request)


def pages(request):
    """A page that continues a list: the second or a later one."""
    return "continue" in request.query


def nth(number, fits):
    """The number-th request, counted from 1, of those that fit."""
    counted = itertools.count(1)
    return lambda request: fits(request) and next(counted) == number


@attrs.frozen
class Answer:
    """One answer instead of the server's, for the next request that fits. `raw`: these bytes, and no HTTP at all."""

    code: int = 200
    fits: Callable[[web.Request], bool] = any_request
    body: bytes = b"{}"
    headers: dict[str, str] = attrs.field(factory=dict)
    raw: bytes | None = None

    @classmethod
    def status(cls, code, reason, *, fits=any_request, **headers):
        """A refusal as an API server words it; `headers` with underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(code, fits, status(code, reason), {"Content-Type": "application/json", **named})


def status(code, reason):
    """A Status object in JSON."""
    value = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return json.dumps({**value, "message": f"{reason} by proxy"}).encode()


class AnsweringProxy:
    """Stands before the server of `target`, a Cluster; clients reach it through `cluster`.

    `answers`: each is given once, to the first request that fits it. `alter`: changes every line of a watch and every
    other body on its way to the client. `before`: a coroutine function, called with each request before it is answered.
    `authenticate`: turns a client's Authorization header into the one that the server gets, or None for a 401.
    `requests`: all that came, oldest first.
    """

    def __init__(self, target):
        self.target = target
        self.answers = []
        self.alter = lambda text: text
        self.before = None
        self.authenticate = lambda header: header
        self.requests = []
        self._watches = {}  # answers, by the identity of their requests
        self._closing = contextlib.AsyncExitStack()

    @property
    def cluster(self):
        """How to reach the server through this proxy."""
        scheme = "http" if self._tls is None else "https"
        server = f"{scheme}://127.0.0.1:{self._port}"
        return attrs.evolve(self.target, server=server, ca_file=self._tls and str(_authority().ca_file))

    async def __aenter__(self):
        self._tls = _server_tls() if self.target.server.startswith("https") else None
        connector = aiohttp.TCPConnector(limit=0, ssl=self.target.ssl_context() or True)
        self._session = await self._closing.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False)
        )
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        self._closing.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_):
        await self._closing.aclose()

    async def insert(self, line):
        """Say one line more on every open watch, between two of the server's."""
        for watch in tuple(self._watches.values()):
            await watch.write(line + b"\n")

    @property
    def is_watched(self):
        """Whether the newest request is a watch that is open."""
        return bool(self.requests) and id(self.requests[-1]) in self._watches

    async def _handle(self, request):
        self.requests.append(request)
        if self.before is not None:
            await self.before(request)
        answer = next((one for one in self.answers if one.fits(request)), None)
        if answer is not None:
            self.answers.remove(answer)
            return _given(request, answer)
        headers = _without_own(request.headers)
        if (given := headers.get("Authorization")) is not None:
            passed = self.authenticate(given)
            if passed is None:
                return _given(request, Answer.status(401, "Unauthorized"))
            headers["Authorization"] = passed
        url = URL(self.target.server + request.raw_path, encoded=True)
        body = await request.read() or None
        try:
            async with self._session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            ) as upstream:
                return await self._forward(request, upstream)
        except (aiohttp.ClientError, OSError):
            return _broken(request)

    async def _forward(self, request, upstream):
        headers = _without_own(upstream.headers)
        if not watches(request) or upstream.status != 200:
            return web.Response(body=self.alter(await upstream.read()), status=upstream.status, headers=headers)
        response = web.StreamResponse(status=upstream.status, headers=headers)
        await response.prepare(request)
        self._watches[id(request)] = response
        try:
            rest = b""
            async for chunk in upstream.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    await response.write(b"".join(self.alter(line) + b"\n" for line in lines))
        finally:
            del self._watches[id(request)]
            if upstream.connection is not None:
                upstream.connection.transport.abort()  # else TLS would wait for a farewell
        return response


def _without_own(headers):
    """Without what belongs to one connection alone."""
    return {name: value for name, value in headers.items() if name.lower() not in _OWN_HEADERS}


def _given(request, answer):
    if answer.raw is None:
        return web.Response(status=answer.code, body=answer.body, headers=answer.headers)
    request.transport.write(answer.raw)
    request.transport.close()
    return web.Response()


def _broken(request):
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _server_tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*_certificate())
    return context


@functools.cache
def _authority():
    folder = tempfile.TemporaryDirectory(prefix="windlass-proxy-")
    authority = Authority(Path(folder.name))
    authority.folder = folder  # it lives as long as this process
    return authority


@functools.cache
def _certificate():
    return _authority().issue("/CN=proxy", names="IP:127.0.0.1")
