"""A webhook is asked over HTTPS with the authority that its configuration names, and never longer than it may take.

Every way to fail ends as a `Reply` with a reason, in the words of Go's HTTP client where clients are known to look at
them. Service references lead where a real API server without a cluster network would take them: to the external name
of a Service, or to its cluster IP, which nobody routes here.
"""

import asyncio
import base64
import binascii
import socket
import ssl
import uuid
from collections.abc import Callable
from functools import lru_cache

import aiohttp
import msgspec

from windlass.envtest.apiserver.decisions import Call, Endpoint, Reply
from windlass.envtest.apiserver.extension.sockets import Sockets
from windlass.envtest.apiserver.values import Json, decode, encode

__all__ = ("ANSWER_MAX", "Caller")

ANSWER_MAX = 3 * 1024 * 1024  # bytes


class Caller:
    """Makes the calls of one server; `service` finds the object of a namespace and a name."""

    def __init__(self, service: Callable[[str, str], Json | None]) -> None:
        self._service = service
        self._session: aiohttp.ClientSession | None = None
        self._sockets = Sockets()

    def __repr__(self) -> str:
        return f"<Caller{' open' if self._session is not None else ''}>"

    async def close(self) -> None:
        """Drop the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await self._sockets.end()

    async def __call__(self, call: Call) -> Reply:
        """Ask one question; never raises."""
        uid = str(uuid.uuid4())
        try:
            url, name = self._address(call.endpoint)
        except ValueError as error:
            return Reply(uid, failure=str(error))
        url = f"{url}?timeout={call.timeout:g}s"
        try:
            async with asyncio.timeout(call.timeout):
                return await self._post(url, name, call, uid)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return Reply(uid, failure=f'Post "{url}": {_reason(error)}')

    async def _post(self, url: str, name: str, call: Call, uid: str) -> Reply:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=5, socket_factory=self._sockets.open)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        review = decode(call.review)
        review["request"] = {"uid": uid} | review["request"]
        sent = self._session.post(
            url,
            data=encode(review),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            ssl=_trust(call.endpoint.authority),
            server_hostname=name or None,
            allow_redirects=False,
        )
        async with sent as response:
            raw = await response.content.read(ANSWER_MAX + 1)
            while len(raw) <= ANSWER_MAX and (more := await response.content.read(ANSWER_MAX + 1 - len(raw))):
                raw += more
            return _read(response.status, raw, uid)

    def _address(self, endpoint: Endpoint) -> tuple[str, str]:
        """The URL, and the name that the certificate must have if it is not the host's."""
        if endpoint.service is None:
            return endpoint.url, ""
        namespace, name, path, port = endpoint.service
        service = self._service(namespace, name)
        if service is None:
            raise ValueError(f'service "{name}" not found')
        spec = service.get("spec") or {}
        host = spec.get("externalName")
        if spec.get("type") == "ExternalName" and host:
            return f"https://{host}:{port}/{path.removeprefix('/')}", f"{name}.{namespace}.svc"
        if spec.get("clusterIP") == "None":
            raise ValueError('cannot route to service with ClusterIP "None"')
        if all(one.get("port") != port for one in spec.get("ports") or []):
            raise ValueError(f'no service port {port} found for service "{name}"')
        raise ValueError(
            f'service "{namespace}/{name}" has no address that leads anywhere: this server routes to no cluster IPs; '
            "use clientConfig.url, or a Service of the type ExternalName"
        )


def _read(code: int, raw: bytes, uid: str) -> Reply:
    if len(raw) > ANSWER_MAX:
        return Reply(uid, failure=f"the answer is larger than {ANSWER_MAX} bytes")
    if code >= 500:
        shown = raw[:200].decode(errors="replace").strip() or "unknown"
        return Reply(uid, failure=f'an error on the server ("{shown}") has prevented the request from succeeding')
    if code == 404:
        return Reply(uid, failure="the server could not find the requested resource")
    if not 200 <= code < 300:
        return Reply(uid, failure="the server rejected our request for an unknown reason")
    try:
        return Reply(uid, decode(raw))
    except (msgspec.MsgspecError, ValueError) as error:
        return Reply(uid, failure=f"couldn't get version/kind; json parse error: {error}")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"x509: {getattr(error.certificate_error, 'verify_message', '') or error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return f"dial tcp {error.host}:{error.port}: connect: {'connection refused' if refused else error.os_error}"
    if isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionError, socket.gaierror)):
        return "EOF"
    return str(error) or type(error).__name__


@lru_cache(maxsize=64)
def _trust(bundle: str) -> ssl.SSLContext:
    """The authorities of a caBundle, or the system's; raises ValueError."""
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(bundle, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError) as error:
        raise ValueError("unable to load root certificates: unable to parse bytes as PEM block") from error
