"""A proxy that opens tunnels, or does not."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@asynccontextmanager
async def tunnel(answer=OPENED, *, tls=None):
    """The URL of a proxy and the heads that it was sent. `tls` is its own TLS context, when one speaks TLS to it."""
    asked, open_transports = [], set()

    async def copy(reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()

    async def accept(reader, writer):
        open_transports.add(writer.transport)
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        writer.write(answer)
        if answer is OPENED:
            host, _, port = head.split(b" ", 2)[1].decode().rpartition(":")
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            open_transports.add(up_writer.transport)
            await asyncio.wait(
                [asyncio.create_task(copy(reader, up_writer)), asyncio.create_task(copy(up_reader, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            up_writer.close()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for transport in open_transports:
            transport.abort()
        await asyncio.sleep(0)
