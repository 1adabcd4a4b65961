"""A TCP proxy that misbehaves on request: refuses, falls silent, cuts after any byte, swallows attempts to connect.

It knows bytes, whatever they are, TLS or not; `answering_proxy` knows requests.
"""

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit, urlunsplit

__all__ = ("FaultProxy",)


class FaultProxy:
    """Forwards connections to `target` (a URL). Faults are attributes, looked at for each connection and chunk.

    `refuse`: new connections are closed at once. `silent`: nothing is forwarded to the client any more. `cut_after`: a
    callable that gives, for each new connection, the number of bytes to the client after which it is cut (None: never).
    `garble`: changes each chunk on its way to the client.
    """

    def __init__(self, target):
        self.target = urlsplit(target)
        self.refuse = False
        self.silent = False
        self.cut_after = lambda: None
        self.garble = lambda chunk: chunk
        self.connections = 0
        self._open = set()
        self._hushed = set()
        self._tasks = set()
        self._server = None
        self._reserved = _bound(0)  # never listens, but keeps the port ours while nobody does

    @property
    def url(self):
        return urlunsplit((self.target.scheme, f"127.0.0.1:{self._port}", "", "", ""))

    @property
    def _port(self):
        return self._reserved.getsockname()[1]

    async def __aenter__(self):
        await self._listen()
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._reserved.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self):
        """Reset every connection there is."""
        for writer in list(self._open):
            writer.transport.abort()

    def hush(self):
        """Let every connection there is stay open, and the server say nothing more on it."""
        self._hushed |= self._open

    @contextlib.asynccontextmanager
    async def absent(self):
        """Nobody listens: attempts to connect are refused."""
        self._server.close()
        try:
            yield
        finally:
            await self._listen()

    @contextlib.asynccontextmanager
    async def black_hole(self):
        """Attempts to connect are swallowed: they are neither accepted nor refused."""
        async with self.absent():
            with contextlib.ExitStack() as stack:
                # The kernel drops who comes while a queue of nobody accepted is full; one or two fill this one.
                stack.enter_context(_bound(self._port)).listen(0)
                for _ in range(3):
                    filler = stack.enter_context(socket.socket())
                    filler.setblocking(False)
                    filler.connect_ex(("127.0.0.1", self._port))
                yield

    async def _listen(self):
        self._server = await asyncio.start_server(self._accept, sock=_bound(self._port))

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self._open.add(writer)
        self.connections += 1
        try:
            if self.refuse:
                return
            await self._forward(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            self._hushed.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection(self.target.hostname, self.target.port)
        sending = asyncio.create_task(self._up(reader, up_writer))
        self._tasks.add(sending)
        left = self.cut_after()
        try:
            while chunk := await up_reader.read(65536):
                while self.silent or writer in self._hushed:  # noqa: ASYNC110 - an attribute is all that a test sets
                    await asyncio.sleep(0.05)
                chunk = self.garble(chunk)
                if left is not None and len(chunk) >= left:
                    writer.write(chunk[:left])
                    await writer.drain()
                    writer.transport.abort()
                    return
                left = None if left is None else left - len(chunk)
                writer.write(chunk)
                await writer.drain()
        finally:
            sending.cancel()
            self._tasks.discard(sending)
            up_writer.transport.abort()

    async def _up(self, reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()  # the client has left, and the server is to know


def _bound(port):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", port))
    return one
