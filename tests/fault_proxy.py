"""A TCP proxy that misbehaves on request: refuses, falls silent, cuts after any byte, answers in the server's place."""

import asyncio
import contextlib
from urllib.parse import urlsplit, urlunsplit

__all__ = ("FaultProxy",)


class FaultProxy:
    """Forwards connections to `target` (a URL). Faults are attributes, looked at for each connection and chunk.

    `refuse`: new connections are closed at once. `silent`: nothing is forwarded to the client any more. `cut_after`: a
    callable that gives, for each new connection, the number of bytes to the client after which it is cut (None: never).
    `answers`: whole HTTP answers, each given to one new connection instead of the server's. `garble`: changes each
    chunk on its way to the client.
    """

    def __init__(self, target):
        self.target = urlsplit(target)
        self.refuse = False
        self.silent = False
        self.cut_after = lambda: None
        self.answers = []
        self.garble = lambda chunk: chunk
        self.connections = 0
        self._open = set()
        self._tasks = set()
        self._server = None

    @property
    def url(self):
        port = self._server.sockets[0].getsockname()[1]
        return urlunsplit((self.target.scheme, f"127.0.0.1:{port}", "", "", ""))

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self):
        """Reset every connection there is."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self._open.add(writer)
        self.connections += 1
        try:
            if self.refuse:
                return
            if self.answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answers.pop(0))
                await writer.drain()
                return
            await self._forward(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection(self.target.hostname, self.target.port)
        sending = asyncio.create_task(self._up(reader, up_writer))
        self._tasks.add(sending)
        left = self.cut_after()
        try:
            while chunk := await up_reader.read(65536):
                while self.silent:  # noqa: ASYNC110 - an attribute is all that a test sets
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
            up_writer.close()

    async def _up(self, reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()
