"""Every error leaves as JSON `{"error": "<why>"}` with the status of its class, whatever went wrong (R10, R11).

The parts of HTTP that all paths share: reading a body within a limit, content types, JSON answers, the translation of
errors. It does not know models or protocols.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import attrs
import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from aiohttp.web_exceptions import HTTPException, HTTPMethodNotAllowed, HTTPNotFound

from windlass.serving.access.access import Access, Action, Area, Presented
from windlass.serving.access.cors import Cors
from windlass.serving.access.tls import common_name
from windlass.serving.errors import (
    BadRequest,
    BodyTooSlow,
    NotAllowed,
    NotFound,
    ServingError,
    TooLarge,
    Unreadable,
    UnsupportedMedia,
)
from windlass.serving.http.admission import Held
from windlass.serving.telemetry.accesslog import Seen
from windlass.serving.telemetry.call import Call
from windlass.serving.telemetry.telemetry import Telemetry
from windlass.serving.traffic.route import HEADER as VARIANT_HEADER

__all__ = ("JSON", "Door", "Handler", "Refusal", "answer", "check_content_type", "middleware", "read_body", "refusal")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = {"Content-Type": "application/json"}

# What aiohttp inflates, or refuses with a reason of its own where a library is missing.
_CODINGS = frozenset(("gzip", "deflate", "br", "zstd", "identity", ""))

# JSON, and what common clients (curl -d; HTTP libraries given text or bytes) send when nobody chose a type.
_JSON_KINDS = frozenset(
    ("application/json", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream")
)

_log = logging.getLogger(__name__)


def answer(content: object, *, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=msgspec.json.encode(content), status=status, headers=JSON)


@attrs.frozen
class Refusal:
    """An error as it leaves."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def refusal(error: Exception, method: str, path: str) -> Refusal:
    """What a client is told of an error; what it is not told, and what is the server's fault, is in the log."""
    if not isinstance(error, ServingError):
        _log.error("%s %s failed", method, path, exc_info=error)
        return Refusal(500, JSON, _error("internal error; the server's log has the details"))
    if error.status == 500:
        _log.error("%s %s: %s", method, path, error, exc_info=error)
    headers = {**JSON, **error.headers}
    if error.variant is not None:
        headers[VARIANT_HEADER] = error.variant
    return Refusal(error.status, headers, _error(str(error)))


def _error(why: str) -> bytes:
    return msgspec.json.encode({"error": why})


@attrs.frozen(eq=False)
class Door:
    """What every request passes, whatever its path. `area` says what kind of path it is."""

    draining: Callable[[], bool]
    area: Callable[[web.Request], Area]
    telemetry: Telemetry
    access: Access | None = None
    cors: Cors | None = None


def middleware(door: Door) -> Middleware:
    """The one middleware: who may not ask is refused, errors become JSON, and while draining connections are closed.

    The latter makes a client open its next connection elsewhere (DB23). It is one because each costs every request.
    """

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await _finished(request, handler, door=door, call=door.telemetry.begin(request.headers))

    @web.middleware
    async def watched(request: web.Request, handler: Handler) -> web.StreamResponse:
        telemetry = door.telemetry
        call = telemetry.begin(request.headers)
        response = None
        try:
            response = await _finished(request, handler, door=door, call=call)
            traceparent = telemetry.traceparent(call)
            if traceparent is not None:
                response.headers["Traceparent"] = traceparent
            return response
        finally:
            telemetry.end(call, _seen(request, response))

    return watched if door.telemetry.watches else answered


async def _finished(request: web.Request, handler: Handler, *, door: Door, call: Call) -> web.StreamResponse:
    response = await _answered(request, handler, door=door, call=call)
    if door.cors is not None:
        response.headers.update(door.cors.headers(request.headers))
    # After a body that could not be decoded, and that nobody read, aiohttp closes without having said so.
    if door.draining() or request.content.exception() is not None:
        response.force_close()
    return response


async def _answered(request: web.Request, handler: Handler, *, door: Door, call: Call) -> web.StreamResponse:
    try:
        if door.cors is not None:
            preflight = door.cors.preflight(request.method, request.headers)
            if preflight is not None:
                return web.Response(status=204, headers=preflight)
        if door.access is not None:
            caller = await door.access.admit(_presented(request), _action(request, door))
            call.caller = None if caller is None else caller.name
        return await handler(request)
    except HTTPException as error:
        refused = refusal(_translated(error, request), request.method, request.path)
    except Exception as error:
        refused = refusal(error, request.method, request.path)
    return web.Response(body=refused.body, status=refused.status, headers=refused.headers)


def _action(request: web.Request, door: Door) -> Action:
    # A HEAD tells what a GET would; who may not have the one may not have the other.
    method = "get" if request.method == "HEAD" else request.method.lower()
    return Action(method, request.path, door.area(request))


def _seen(request: web.Request, response: web.StreamResponse | None) -> Seen:
    # Without an answer the client has hung up, and took the task along.
    return Seen(
        "http",
        request.method,
        request.path,
        499 if response is None else response.status,
        peer=request.remote,
        agent=request.headers.get("User-Agent"),
        request_bytes=request.content_length,
        response_bytes=None if response is None else response.content_length,
    )


def _presented(request: web.Request) -> Presented:
    transport = request.transport
    certificate = None if transport is None else transport.get_extra_info("peercert")
    return Presented(request.headers.get("Authorization"), common_name(certificate) if certificate else None)


async def read_body(request: web.Request, limit: int, *, held: Held, deadline: float) -> bytes:
    """The whole body, decompressed, counted in `held`.

    Raises TooLarge over `limit` bytes, Unreadable for a body that breaks off, UnsupportedMedia for an encoding that is
    unknown and for a content type that was chosen and is not JSON, Overloaded when there is no room for it, BodyTooSlow
    when it is not complete at the `deadline`.
    """
    check_content_type(request.headers)
    announced = request.content_length
    if announced is not None:
        if announced > limit:
            raise TooLarge(limit)
        # All of it at once: with many bodies half read and no room left, none of them would ever be complete.
        held.reserve(announced)
    if request.content.is_eof():
        return await _read(request, limit, held)
    try:
        async with asyncio.timeout_at(deadline):
            return await _read(request, limit, held)
    except TimeoutError as error:
        raise BodyTooSlow("the body did not arrive in time") from error


async def _read(request: web.Request, limit: int, held: Held) -> bytes:
    # Not request.read(): its limit is that of the application at the root, which is not ours when we are mounted.
    chunks: list[bytes] = []
    size = 0
    content = request.content
    try:
        while not content.at_eof():
            chunk = await content.readany()
            size += len(chunk)
            if size > limit:
                raise TooLarge(limit)
            held.reserve(size)
            chunks.append(chunk)
    except (web.RequestPayloadError, ConnectionError) as error:
        raise Unreadable(f"the body cannot be read: {' '.join(str(error).split())}") from error
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raise UnsupportedMedia for an encoding that is unknown, and a content type that was chosen and is not JSON.

    An unknown encoding is 415 by RFC 9110 §8.4; aiohttp hands such a body on as it came.
    """
    coding = headers.get("Content-Encoding")
    if coding is not None and coding.strip().lower() not in _CODINGS:
        raise UnsupportedMedia(f"content encoding {coding!r} is not supported here; send gzip, deflate or none")
    header = headers.get("Content-Type")
    if header is None or header == "application/json":
        return
    kind = header.partition(";")[0].strip().lower()
    if kind in _JSON_KINDS or (kind.startswith("application/") and kind.endswith("+json")):
        return
    raise UnsupportedMedia(f"content type {kind!r} is not supported here; send application/json")


def _translated(error: HTTPException, request: web.Request) -> ServingError:
    match error:
        case HTTPMethodNotAllowed():
            return NotAllowed(request.method, request.path, allowed=tuple(sorted(error.allowed_methods)))
        case HTTPNotFound():
            return NotFound(f"there is no path {request.path}")
        case _:
            translated = BadRequest(error.reason)
            translated.status = error.status  # type: ignore[misc]  # an error of aiohttp's that has no class of ours
            return translated
