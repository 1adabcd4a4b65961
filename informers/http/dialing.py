"""A dialer makes connections to one server: by name or number, with or without TLS, directly or through a proxy.

What fails here was never heard by the server, so it says `sent=False`. A wait that is cancelled leaves nothing open.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
from aiohappyeyeballs import start_connection

from windlass.informers.http.address import Address, spelled
from windlass.informers.http.connection import Connection
from windlass.informers.http.reasons import NoAnswer, reason_of
from windlass.informers.http.tls import TlsTransport, secured

__all__ = ("Dialer",)

_NEXT_ADDRESS_SECONDS = 0.25  # a name's next address is tried beside one that takes longer (RFC 8305)


@attrs.frozen
class Dialer:
    """How to get to `address`. `tls_name` is the name that its certificate shows, when it is not the host's."""

    address: Address
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    tls_name: str | None = None
    proxy: Address | None = None
    seconds: float = 10.0

    def __attrs_post_init__(self) -> None:
        if self.address.tls != (self.tls is not None):  # a token must not go out in plain
            raise ValueError(f"{self.address}: expected a TLS context for https and none for http")
        if self.tls_name is not None:
            spelled(self.tls_name)  # TLS would refuse it, and leave the socket open

    async def dial(self) -> Connection:
        """A connection over which requests can be sent. Raises NoAnswer."""
        connection = Connection()
        try:
            async with asyncio.timeout(self.seconds):
                if self.proxy is not None:
                    await self._by_proxy(connection, self.proxy)
                elif self.tls is None:
                    await _reach(connection, self.address)
                else:
                    opened = await _opened(self.address)
                    TlsTransport(await secured(opened, self.tls, self._name), connection)
        except TimeoutError as error:
            connection.abort()
            raise NoAnswer("Connection timeout", sent=False) from error
        except OSError as error:  # all of TLS, too
            connection.abort()
            raise NoAnswer(reason_of(error), sent=False) from error
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _by_proxy(self, connection: Connection, proxy: Address) -> None:
        where = f"the proxy {proxy.authority}"
        with _said_of(where):
            await _reach(connection, proxy)
            if proxy.tls:
                await _secure(connection, ssl.create_default_context(), proxy.host)
            if self.tls is None:
                return  # a proxy passes plain requests on
            connection.send(self._connect(proxy))
            await connection.head(self.seconds)
        if not 200 <= connection.status < 300:
            raise NoAnswer(f"{where} answered {connection.status} to CONNECT {self.address.authority}", sent=False)
        await _secure(connection, self.tls, self._name)

    @property
    def _name(self) -> str:
        return self.tls_name or self.address.host

    def _connect(self, proxy: Address) -> bytes:
        """RFC 9110, 9.3.6."""
        lines = [f"CONNECT {self.address.authority} HTTP/1.1", f"Host: {self.address.authority}"]
        if proxy.basic is not None:
            lines.append(f"Proxy-Authorization: {proxy.basic}")
        return "\r\n".join((*lines, "", "")).encode("ascii")


async def _opened(address: Address) -> socket.socket:
    """A socket that is connected to the first address of the name that answers. Raises OSError."""
    try:  # a number needs no look-up, which would take a thread
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    # asyncio's own race between addresses loses the winner's socket when it is cancelled just then.
    opened = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


async def _reach(connection: Connection, address: Address) -> None:
    """Connect in plain."""
    await asyncio.get_running_loop().create_connection(lambda: connection, sock=await _opened(address))


async def _secure(connection: Connection, tls: ssl.SSLContext, name: str) -> None:
    """Speak TLS from here on, by asyncio's means: over a proxy's TLS there is no socket to speak it on."""
    below = connection.transport
    above = await asyncio.get_running_loop().start_tls(below, connection, tls, server_hostname=name)
    if above is None:
        raise NoAnswer("the connection was closed before the answer", sent=False)
    connection.go_on(above)


@contextmanager
def _said_of(where: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise  # the limit is one for the whole way
    except (OSError, NoAnswer) as error:
        raise NoAnswer(f"{where} cannot be reached: {reason_of(error)}", sent=False) from error
