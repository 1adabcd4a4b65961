"""A client that costs less than the servers it asks, as a process of its own on a core of its own.

    python asking.py URL BODY_FILE [--header 'Name: value'] [--connections 32] [--seconds 3] [--requests N] [--core 1]

Each connection is kept alive and sends the same request again as soon as it has the answer. Prints one JSON object:
requests answered, requests a second, and the p50 and p99 of the latencies in milliseconds. It reads no more of an
answer than its status and length, and it uses sockets without asyncio, which would cost more than the endpoint does.
With `--requests` it sends so many, and with `--wait` it says `ready` when it is connected and begins after a line on
its stdin.
"""

import argparse
import json
import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ("Asking", "load", "main")

_LENGTH = b"content-length:"


class Asking:
    """One connection, and the bytes of its answer so far. Ends the program when an answer is not 200."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = request

    def ask(self) -> None:
        """Send the request."""
        self.received = b""
        self.began = time.perf_counter()
        self.socket.sendall(self.request)

    def answered(self) -> bool:
        """Whether the answer is complete with what can be read now."""
        more = self.socket.recv(1 << 20)
        if not more:
            raise SystemExit(f"closed after {self.received[:300]!r}")
        self.received += more
        head = self.received.find(b"\r\n\r\n")
        if head < 0 or len(self.received) < head + 4 + self._length(self.received[:head]):
            return False
        if not self.received.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"answered {self.received[:300]!r}")
        return True

    @staticmethod
    def _length(head: bytes) -> int:
        lower = head.lower()
        start = lower.index(_LENGTH) + len(_LENGTH)
        return int(lower[start:].split(b"\r\n", 1)[0])


def load(asking: Sequence[Asking], more: Callable[[int], bool]) -> dict[str, float]:
    """Ask on all connections, again as long as there is `more` to ask after so many answers."""
    latencies: list[float] = []
    open_ = {one.socket.fileno(): one for one in asking}
    ready = select.epoll()
    began = time.perf_counter()
    for number, one in open_.items():
        ready.register(number, select.EPOLLIN)
        one.ask()
    while open_:
        for number, _ in ready.poll():
            one = open_[number]
            if not one.answered():
                continue
            latencies.append(time.perf_counter() - one.began)
            if more(len(latencies)):
                one.ask()
            else:
                del open_[number]
                one.socket.close()
    took = time.perf_counter() - began
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "requests": len(latencies),
        "rate": len(latencies) / took,
        "p50_ms": cuts[49] * 1e3,
        "p99_ms": cuts[98] * 1e3,
    }


def main() -> None:
    """Ask as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--requests", type=int, help="instead of --seconds")
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--core", type=int)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    body, parts = options.body.read_bytes(), urlsplit(options.url)
    head = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}", *options.header]
    request = "\r\n".join((*head, "", "")).encode() + body
    count = options.connections if options.requests is None else min(options.connections, options.requests)
    asking = [Asking(parts.hostname or "", parts.port or 80, request) for _ in range(count)]
    if options.wait:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
    end = time.perf_counter() + options.seconds
    if options.requests is None:
        found = load(asking, lambda _: time.perf_counter() < end)
    else:
        last = options.requests - count  # so many are still on their way when nobody asks again
        found = load(asking, lambda answered: answered <= last)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
