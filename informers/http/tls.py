"""TLS straight over a socket: one call to OpenSSL for each read and each write.

asyncio's own transport copies every byte through two buffers in memory, keeps 256 KB for each connection, and finds out
by an exception that it has read everything; beside a small answer that is more than the decryption. This one says no
farewell: whoever is done with a connection aborts it.
"""

import asyncio
import fcntl
import socket
import ssl
import termios
from array import array
from collections.abc import Callable
from typing import Final

__all__ = ("TlsTransport", "secured")

_RECORD: Final = 2**14  # TLS carries no more at once (RFC 8446, 5.1)
_RECORDS_A_TURN: Final = 16


class TlsTransport(asyncio.Transport):
    """Bytes of `protocol` over a socket whose handshake is done. Both are its own from now on."""

    def __init__(self, secure: ssl.SSLSocket, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": secure})
        self._loop = asyncio.get_running_loop()
        self._socket = secure
        self._number = secure.fileno()
        self._there = array("i", [0])
        self._protocol = protocol
        self._unsent = bytearray()
        self._writing = False
        self._reading = True
        self._closing = False
        protocol.connection_made(self)
        self._loop.add_reader(self._number, self._read)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See asyncio."""
        if self._closing:
            return
        if self._unsent:
            self._unsent += data
            return
        sent = self._sent(data)
        if sent < len(data) and not self._closing:
            self._unsent += memoryview(data)[sent:]

    def abort(self) -> None:
        """See asyncio."""
        self._close(None)

    def close(self) -> None:
        """Drop what was not sent."""
        self._close(None)

    def is_closing(self) -> bool:
        """See asyncio."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """See asyncio."""
        return len(self._unsent)

    def pause_reading(self) -> None:
        """See asyncio."""
        if self._reading and not self._closing:
            self._reading = False
            self._loop.remove_reader(self._number)

    def resume_reading(self) -> None:
        """See asyncio."""
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._number, self._read)

    def _read(self) -> None:
        if self._unsent and not self._writing:
            self._watch_writing()
        for _ in range(_RECORDS_A_TURN):
            if self._closing or not self._reading:
                return
            try:
                data = self._socket.recv(_RECORD)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLWantWriteError:
                self._watch_writing()  # the server asks for new keys (RFC 8446, 4.6.3), and the answer does not go out
                return
            except OSError as error:
                self._close(error)
                return
            if not data:
                self._close(None)
                return
            self._protocol.data_received(data)
            if not self._more():
                return

    def _more(self) -> bool:
        """Whether another read would find something. Asking costs a quarter of a read in vain.

        Each read takes a whole record, so OpenSSL holds nothing back of which the socket says nothing.
        """
        if self._closing:
            return False
        fcntl.ioctl(self._number, termios.FIONREAD, self._there)
        return self._there[0] > 0

    def _watch_writing(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._number, self._write_more)

    def _write_more(self) -> None:
        self._writing = False
        self._loop.remove_writer(self._number)
        if self._unsent:
            # The same bytes again, and perhaps more: OpenSSL goes on where it was.
            del self._unsent[: self._sent(self._unsent)]
        self._read()  # it may have waited for this

    def _sent(self, data: bytes | bytearray | memoryview) -> int:
        """How many bytes the socket took. Should it not take all, we come back."""
        sent = 0
        try:
            sent = self._socket.send(data)
        except ssl.SSLWantReadError:
            return 0  # a handshake anew, of TLS 1.2: `_read` comes first
        except ssl.SSLWantWriteError:
            pass
        except OSError as error:
            self._close(error)
            return 0
        if sent < len(data):
            self._watch_writing()
        return sent

    def _close(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)
        self._loop.call_soon(self._over, error)

    def _over(self, error: Exception | None) -> None:
        self._socket.close()
        self._protocol.connection_lost(error)


async def secured(opened: socket.socket, tls: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    """The socket after its handshake with the server of that name; closed when that does not come about.

    Raises OSError, which all of TLS's errors are.
    """
    loop = asyncio.get_running_loop()
    secure = tls.wrap_socket(opened, server_hostname=name, do_handshake_on_connect=False)
    try:
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                await _once(secure.fileno(), loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _once(secure.fileno(), loop.add_writer, loop.remove_writer)
            else:
                return secure
    except BaseException:
        secure.close()
        raise


async def _once(number: int, watch: Callable[..., None], leave: Callable[[int], object]) -> None:
    ready = asyncio.get_running_loop().create_future()
    watch(number, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        leave(number)
