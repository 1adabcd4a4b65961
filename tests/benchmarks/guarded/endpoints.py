"""What servers do beside the sockets: a prediction is answered, an object is created.

Connections are given their bytes by a transport that is none. The floor is a bare aiohttp handler that decodes, does
the one thing that is asked for, and encodes: no validation, no metrics, no roles, no history.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from bench_request import Nowhere
from bench_serving import PATHS
from guarded.copies import Slice

from windlass.benchmarks.contenders import bare
from windlass.benchmarks.widgets import DEFINITION, GROUP, widget
from windlass.envtest.apiserver import ApiServer
from windlass.serving import Endpoint, LinearModel, ModelRepository

REQUESTS, CREATES = 20, 10
PLACE = f"/apis/{GROUP}/v1/namespaces/default/widgets"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Connection:
    """A connection of a server, without a socket."""

    def __init__(self, server: web.Server, token: str = "") -> None:
        self._connection: Any = server()
        self._transport = Nowhere()
        self._connection.connection_made(self._transport)
        self._token = token

    def rendered(self, path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        if self._token:
            head += f"Authorization: Bearer {self._token}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def ask(self, requests: list[bytes], status: int) -> None:
        """Each request once the one before has been answered."""
        transport, connection = self._transport, self._connection
        for request in requests:
            before = transport.written
            connection.data_received(request)
            while transport.written == before or connection._waiter is None:  # noqa: ASYNC110  (turns are measured)
                await asyncio.sleep(0)
            if not transport.last.startswith(b"HTTP/1.1 %d" % status):
                raise RuntimeError(f"expected status {status}, found {transport.last[:300]!r}")

    def close(self) -> None:
        self._connection.connection_lost(None)


@asynccontextmanager
async def inferring() -> AsyncIterator[tuple[Slice, Slice]]:
    """A v2 request in JSON."""
    path, value = PATHS["v2"]
    runner = web.AppRunner(bare.application(), access_log=None)
    await runner.setup()
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0) as endpoint:
        assert endpoint._runner is not None
        connections = [Connection(server) for server in (endpoint._runner.server, runner.server) if server]
        ours, floor = connections
        requests = [ours.rendered(path, json.dumps(value).encode())] * REQUESTS
        yield lambda: ours.ask(requests, 200), lambda: floor.ask(requests, 200)
        for one in connections:
            one.close()
        await asyncio.sleep(0)
    await runner.cleanup()


@asynccontextmanager
async def creating() -> AsyncIterator[tuple[Slice, Slice]]:
    """A custom resource of 1.5 KB is created in the embedded server, with roles evaluated."""
    runner = web.AppRunner(_bare_store(), access_log=None)
    await runner.setup()
    async with ApiServer() as server:
        running: Any = server._running
        ours, floor = Connection(running.runner.server, server.token), Connection(runner.server)
        await ours.ask([ours.rendered(CRDS, json.dumps(DEFINITION).encode())], 201)
        mine, bare = _bodies(ours), _bodies(floor)
        yield lambda: ours.ask(next(mine), 201), lambda: floor.ask(next(bare), 201)
        ours.close()
        floor.close()
        await asyncio.sleep(0)
    await runner.cleanup()


def _bodies(connection: Connection) -> Iterator[list[bytes]]:
    for start in itertools.count(0, CREATES):
        numbers = range(start, start + CREATES)
        yield [connection.rendered(PLACE, json.dumps(widget(number, "default")).encode()) for number in numbers]


def _bare_store() -> web.Application:
    store: dict[str, bytes] = {}

    async def create(request: web.Request) -> web.Response:
        value = msgspec.json.decode(await request.read())
        store[value["metadata"]["name"]] = body = msgspec.json.encode(value)
        return web.Response(status=201, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post(PLACE, create)
    return app
