"""What a prediction costs the endpoint, against a bare aiohttp handler that does the same sum.

    python tests/benchmarks/bench_serving.py [--requests 3000] [--rounds 3] [--connections 16]

Both servers are processes of their own, asked in turn by the same client with kept-alive connections. The measure is
the server's CPU time for a request, read from the kernel; the bare one decodes and encodes JSON and does nothing else:
no validation, no metrics, no admission. Medians and their ratio are printed, a line a path.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from windlass.serving import Endpoint, LinearModel, ModelRepository

TICKS = os.sysconf("SC_CLK_TCK")
V2 = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [4], "data": [1.0, 2.0, 3.0, 4.0]}]}
PATHS: dict[str, tuple[str, Any]] = {
    "predict": ("/predict", {"x": 2.5}),
    "v2": ("/v2/models/linear/infer", V2),
}


async def serve_bare(ready: Connection) -> None:
    async def predict(request: web.Request) -> web.Response:
        x = msgspec.json.decode(await request.read())["x"]
        return web.Response(body=msgspec.json.encode({"prediction": 1.5 - 0.8 * x}), content_type="application/json")

    async def infer(request: web.Request) -> web.Response:
        found = msgspec.json.decode(await request.read())["inputs"][0]
        data = [1.5 - 0.8 * x for x in found["data"]]
        answer = {"outputs": [{"name": "prediction", "datatype": "FP64", "shape": found["shape"], "data": data}]}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    app = web.Application()
    app.router.add_post("/predict", predict)
    app.router.add_post("/v2/models/linear/infer", infer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    ready.send(f"http://{host}:{port}")
    await asyncio.Event().wait()


async def serve_ours(ready: Connection) -> None:
    repository = ModelRepository(None)
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0) as endpoint:
        ready.send(endpoint.url)
        await asyncio.Event().wait()


def run(serve: Callable[[Connection], Coroutine[Any, Any, None]], ready: Connection) -> None:
    asyncio.run(serve(ready))


def start(serve: Callable[[Connection], Coroutine[Any, Any, None]]) -> tuple[multiprocessing.process.BaseProcess, str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=run, args=(serve, there), daemon=True)
    process.start()
    url: str = here.recv()
    return process, url


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def ask(url: str, body: bytes, *, requests: int, connections: int) -> None:
    headers = {"Content-Type": "application/json"}
    left = iter(range(requests))
    async with aiohttp.ClientSession(headers=headers) as session:

        async def client() -> None:
            for _ in left:
                async with session.post(url, data=body) as response:
                    if response.status != 200:
                        raise SystemExit(f"{url} answered {response.status}: {await response.text()}")
                    await response.read()

        await asyncio.gather(*(client() for _ in range(connections)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    servers = {"bare": start(serve_bare), "ours": start(serve_ours)}
    for name, (path, body) in PATHS.items():
        spent: dict[str, list[float]] = {each: [] for each in servers}
        for number in range(options.rounds + 1):
            for each, (process, url) in servers.items():
                before = cpu_seconds(process.pid or 0)
                load = ask(
                    url + path, json.dumps(body).encode(), requests=options.requests, connections=options.connections
                )
                asyncio.run(load)
                if number:  # the first round warms up
                    spent[each].append((cpu_seconds(process.pid or 0) - before) / options.requests * 1e6)
        bare, ours = (statistics.median(spent[each]) for each in ("bare", "ours"))
        row = {
            "scenario": f"serving {name}",
            "cpu_us_a_request": round(ours),
            "bare_us_a_request": round(bare),
            "ratio_to_bare": round(ours / bare, 2),
        }
        print(json.dumps(row))
    for process, _ in servers.values():
        process.terminate()


if __name__ == "__main__":
    main()
