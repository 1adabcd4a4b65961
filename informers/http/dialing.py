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

from windlass.informers.http.address import Address
from windlass.informers.http.connection import Connection
from windlass.informers.http.reasons import NoAnswer, reason_of

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

    async def dial(self) -> Connection:
        """A connection over which requests can be sent. Raises NoAnswer."""
        connection = Connection()
        try:
            async with asyncio.timeout(self.seconds):
                if self.proxy is None:
                    await _reach(connection, self.address)
                else:
                    await self._by_proxy(connection, self.proxy)
                if self.tls is not None:
                    await _secure(connection, self.tls, self.tls_name or self.address.host)
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

    def _connect(self, proxy: Address) -> bytes:
        """RFC 9110, 9.3.6."""
        lines = [f"CONNECT {self.address.authority} HTTP/1.1", f"Host: {self.address.authority}"]
        if proxy.basic is not None:
            lines.append(f"Proxy-Authorization: {proxy.basic}")
        return "\r\n".join((*lines, "", "")).encode("ascii")


async def _reach(connection: Connection, address: Address) -> None:
    """Connect to the first address of the name that answers."""
    loop = asyncio.get_running_loop()
    try:  # a number needs no look-up, which would take a thread
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    # asyncio's own race between addresses loses the winner's socket when it is cancelled just then.
    opened = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
    await loop.create_connection(lambda: connection, sock=opened)


async def _secure(connection: Connection, tls: ssl.SSLContext, name: str) -> None:
    """Speak TLS from here on.

    Not part of connecting, for asyncio would then own a socket that we do not know: a wait that is cancelled before the
    handshake has begun leaves it open.
    """
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
