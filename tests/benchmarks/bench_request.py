"""What a request costs beside the sockets: the endpoint's connection against a bare aiohttp handler's, in one process.

    python tests/benchmarks/bench_request.py [--check]

Both are given the same bytes by a transport that is none, and the loop turns until the answer is written: parsing,
routing, computing, counting, rendering, and every turn of the loop between them, without the kernel. Of many slices of
a few milliseconds the quickest counts, so that the figures hold on a machine that is busy with other things. The bare
handler is that of `bench_serving.py`; so are the requests. With `--check` the exit code is 1 where the endpoint does
less than `LEAST` of the bare handler's requests in the same time.
"""

import argparse
import asyncio
import json
import sys
import time

from aiohttp import web
from bench_serving import PATHS

from windlass.benchmarks.contenders import bare
from windlass.serving import Endpoint, LinearModel, ModelRepository

LEAST = 1.1
SLICES, REQUESTS = 200, 40


class Nowhere(asyncio.Transport):
    """Counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.last = 0, b""

    def write(self, data: bytes) -> None:
        self.written += 1
        self.last = data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def microseconds(server: web.Server, request: bytes) -> float:
    connection, transport = server(), Nowhere()
    connection.connection_made(transport)
    await asyncio.sleep(0)
    slices = []
    for _ in range(SLICES):
        began = time.perf_counter()
        for _ in range(REQUESTS):
            before = transport.written
            connection.data_received(request)
            # Until it is answered, and the connection waits for the next one.
            while transport.written == before or connection._waiter is None:  # noqa: ASYNC110  (turns are measured)
                await asyncio.sleep(0)
        slices.append((time.perf_counter() - began) / REQUESTS * 1e6)
    assert transport.last.startswith(b"HTTP/1.1 200"), transport.last
    connection.connection_lost(None)
    return min(slices)


async def measure(path: str, body: bytes) -> dict[str, float]:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    runner = web.AppRunner(bare.application(), access_log=None)
    await runner.setup()
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0) as endpoint:
        assert endpoint._runner is not None
        servers = {"bare": runner.server, "ours": endpoint._runner.server}
        found = {name: await microseconds(server, head.encode() + body) for name, server in servers.items()}
    await runner.cleanup()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    faults = []
    for name, (path, body) in PATHS.items():
        found = asyncio.run(measure(path, json.dumps(body).encode()))
        ratio = round(found["bare"] / found["ours"], 2)
        shown = {f"{server}_us": round(value, 1) for server, value in found.items()}
        print(json.dumps({"scenario": f"request {name}", **shown, "rate_to_bare": ratio}), flush=True)
        if ratio < LEAST:
            faults.append(f"{name}: rate_to_bare is {ratio}, expected at least {LEAST}")
    if options.check and faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
