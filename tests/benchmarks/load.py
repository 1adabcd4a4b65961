"""A client that costs less than the servers it asks, as a process of its own on a core of its own.

    python load.py URL BODY_FILE [--header 'Name: value'] [--connections 32] [--seconds 3] [--core 1]

Each connection is kept alive and sends the same request again as soon as it has the answer. Prints one JSON object:
requests answered, requests a second, and the p50 and p99 of the latencies in milliseconds. It reads no more of an
answer than its status and length, since aiohttp's client would cost twice what the endpoint does.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit

_LENGTH = b"content-length:"


class Asking(asyncio.Protocol):
    """One connection. `latencies` gets the seconds of each answer until `until`."""

    def __init__(self, request: bytes, latencies: list[float], until: float) -> None:
        self.request, self.latencies, self.until = request, latencies, until
        self.done = asyncio.get_running_loop().create_future()
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        data = self.received + data if self.received else data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + self._length(data[:head]):
            self.received = data
            return
        if not data.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(SystemExit(f"answered {data[:300]!r}"))
            return
        self.received = b""
        now = time.perf_counter()
        self.latencies.append(now - self.began)
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    @staticmethod
    def _length(head: bytes) -> int:
        lower = head.lower()
        start = lower.index(_LENGTH) + len(_LENGTH)
        return int(lower[start:].split(b"\r\n", 1)[0])


async def load(url: str, request: bytes, *, connections: int, seconds: float) -> dict[str, float]:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    loop, latencies = asyncio.get_running_loop(), []
    began = time.perf_counter()
    asking = [
        (await loop.create_connection(lambda: Asking(request, latencies, began + seconds), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(one.done for one in asking))
    took = time.perf_counter() - began
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "requests": len(latencies),
        "rate": len(latencies) / took,
        "p50_ms": cuts[49] * 1e3,
        "p99_ms": cuts[98] * 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--core", type=int)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    body, parts = options.body.read_bytes(), urlsplit(options.url)
    head = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}", *options.header]
    request = "\r\n".join((*head, "", "")).encode() + body
    found = asyncio.run(load(options.url, request, connections=options.connections, seconds=options.seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
