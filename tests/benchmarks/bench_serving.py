"""What a prediction costs the endpoint, against a bare aiohttp handler; and what dynamic batching gains.

    python tests/benchmarks/bench_serving.py [--requests 3000] [--rounds 3] [--connections 16]
        [--overload-seconds 10]

Both servers are processes of their own, asked in turn by the same client with kept-alive connections. The measure is
the server's CPU time for a request, read from the kernel; the bare one decodes and encodes JSON and does nothing else:
no validation, no metrics, no admission. Medians and their ratio are printed, a line a path.

Batching is measured with two ONNX MLPs, 784-512-10 and 784-2048-2048-10, whose inputs travel raw: once over HTTP, and
once by calling the execution in this process, which leaves HTTP out. On and off alternate in the same run, at 64
callers and at one. `load` is the machine's load average (a minute) before the row was measured.

Overload (DB16) is ten times the requests a second that the endpoint answers when it is merely busy, sent whether or not
earlier ones were answered, to a model that takes 80 ms for up to eight rows and lets 16 requests wait.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import msgspec
import numpy as np
from aiohttp import web
from onnx import TensorProto, helper, numpy_helper

from windlass.serving import (
    Batching,
    Endpoint,
    Limits,
    LinearModel,
    ModelRepository,
    OnnxRuntime,
    Policy,
    Source,
    TensorSpec,
)
from windlass.serving.batching.execution import Execution

TICKS = os.sysconf("SC_CLK_TCK")
MLPS = {"mlp-512": (784, 512, 10), "mlp-2048": (784, 2048, 2048, 10)}
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


def mlp(*sizes: int) -> bytes:
    """A perceptron with so many units a layer, as an ONNX file."""
    rng, weights, nodes = np.random.default_rng(1), [], []
    for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
        matrix = rng.normal(scale=0.05, size=(before, after)).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        last = layer == len(sizes) - 2
        nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], ["y" if last else f"h{layer}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"h{layer}"], [f"x{layer + 1}"]))
    inputs = [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["rows", sizes[0]])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", sizes[-1]])]
    graph = helper.make_graph(nodes, "mlp", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def mlp_repository() -> ModelRepository:
    """Each perceptron twice: `-off`, one request an execution, and `-on`, up to 64 rows."""
    repository = ModelRepository(None)
    for kind, sizes in MLPS.items():
        content = mlp(*sizes)
        for name, policy in (("off", Policy()), ("on", Policy(batching=Batching(rows_max=64)))):
            model = OnnxRuntime().load(Source(kind, "1", Path("mlp.onnx"), content))
            repository.add(f"{kind}-{name}", model, policy=policy)
    return repository


async def serve_mlp(ready: Connection) -> None:
    async with Endpoint(mlp_repository(), port=0) as endpoint:
        ready.send(endpoint.url)
        await asyncio.Event().wait()


@attrs.frozen
class Measured:
    """Requests a second, the median latency in seconds, and the server's CPU seconds a request."""

    rate: float
    latency: float
    cpu: float = 0.0


async def timed(callers: int, requests: int, one: Callable[[], Coroutine[Any, Any, None]]) -> Measured:
    """`requests` calls of `one`, `callers` at a time."""
    left, latencies, clock = iter(range(requests)), [], time.perf_counter

    async def caller() -> None:
        for _ in left:
            before = clock()
            await one()
            latencies.append(clock() - before)

    before = clock()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Measured(requests / (clock() - before), statistics.median(latencies))


async def over_http(url: str, name: str, *, callers: int, requests: int) -> Measured:
    """Raw tensors both ways, over kept-alive connections."""
    tensor = {"name": "x0", "datatype": "FP32", "shape": [1, 784], "parameters": {"binary_data_size": 784 * 4}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    body = head + np.random.default_rng(2).random(784, dtype=np.float32).tobytes()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:

        async def one() -> None:
            async with session.post(f"/v2/models/{name}/infer", data=body) as response:
                content = await response.read()
                if response.status != 200:
                    raise SystemExit(f"{name} answered {response.status}: {content!r}")

        return await timed(callers, requests, one)


async def in_process(repository: ModelRepository, name: str, *, callers: int, requests: int) -> Measured:
    """The execution alone."""
    model, execution = repository.get(name), Execution()
    inputs = {"x0": np.random.default_rng(2).random((1, 784), dtype=np.float32)}

    async def one() -> None:
        await execution.run(model, inputs)

    before = time.process_time()
    try:
        result = await timed(callers, requests, one)
    finally:
        execution.close()
    return attrs.evolve(result, cpu=(time.process_time() - before) / requests)


def measure_batching(rounds: int, requests: int) -> None:
    process, url = start(serve_mlp)
    repository = mlp_repository()

    def measure(where: str, name: str, callers: int) -> Measured:
        if where == "in process":
            return asyncio.run(in_process(repository, name, callers=callers, requests=requests))
        before = cpu_seconds(process.pid or 0)
        result = asyncio.run(over_http(url, name, callers=callers, requests=requests))
        return attrs.evolve(result, cpu=(cpu_seconds(process.pid or 0) - before) / requests)

    for kind, where, callers in itertools.product(MLPS, ("HTTP", "in process"), (64, 1)):
        load = os.getloadavg()[0]
        found: dict[str, list[Measured]] = {"off": [], "on": []}
        for number in range(rounds + 1):
            for name, results in found.items():
                result = measure(where, f"{kind}-{name}", callers)
                if number:  # the first round warms up
                    results.append(result)
        print(json.dumps(row(f"batching {kind} {where}, callers: {callers}", found, load)), flush=True)
    process.terminate()


class Sleepy:
    """80 ms an execution, however many rows."""

    name, version, platform = "sleepy", "1", "bench_bench"
    inputs = outputs = (TensorSpec("x", "FP64", (-1,)),)

    def predict(self, inputs: Mapping[str, Any], /) -> Mapping[str, Any]:
        time.sleep(0.08)
        return {"x": inputs["x"]}


async def serve_sleepy(ready: Connection) -> None:
    repository = ModelRepository(None)
    repository.add("sleepy", Sleepy(), policy=Policy(Limits(requests_max=16, timeout_seconds=1), Batching(rows_max=8)))
    async with Endpoint(repository, port=0) as endpoint:
        ready.send(endpoint.url)
        await asyncio.Event().wait()


async def offer(url: str, *, rate: float, seconds: float) -> dict[int, list[float]]:
    """Latencies by status of `rate` requests a second, which wait for nobody."""
    found: dict[int, list[float]] = {}
    body = {"instances": [1.0]}
    clock = time.perf_counter
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one() -> None:
            before = clock()
            async with session.post("/v1/models/sleepy:predict", json=body) as response:
                await response.read()
                found.setdefault(response.status, []).append(clock() - before)

        began, sent = clock(), 0
        async with asyncio.TaskGroup() as tasks:
            while (elapsed := clock() - began) < seconds:
                while sent < rate * elapsed:
                    tasks.create_task(one())
                    sent += 1
                await asyncio.sleep(0.005)
    return found


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_overload(seconds: float) -> None:
    process, url = start(serve_sleepy)
    load = os.getloadavg()[0]

    async def one(session: aiohttp.ClientSession) -> None:
        async with session.post("/v1/models/sleepy:predict", json={"instances": [1.0]}) as response:
            await response.read()

    async def busy() -> Measured:
        async with aiohttp.ClientSession(url) as session:
            return await timed(16, 600, lambda: one(session))

    rate = asyncio.run(busy()).rate
    asyncio.run(offer(url, rate=10 * rate, seconds=1))
    before = resident_mib(process.pid or 0)
    found = asyncio.run(offer(url, rate=10 * rate, seconds=seconds))
    shown = {
        "scenario": "overload",
        "load": round(load, 1),
        "busy_requests_a_second": round(rate),
        "offered_a_second": round(sum(map(len, found.values())) / seconds),
        "goodput_ratio": round(len(found[200]) / seconds / rate, 2),
        "statuses": {status: len(latencies) for status, latencies in sorted(found.items())},
        "accepted_p99_ms": round(statistics.quantiles(found[200], n=100)[-1] * 1e3),
        "refused_p50_ms": round(statistics.median(found.get(429, [0.0])) * 1e3, 1),
        "memory_growth_mib": round(resident_mib(process.pid or 0) - before, 1),
    }
    print(json.dumps(shown), flush=True)
    process.terminate()


def row(scenario: str, found: dict[str, list[Measured]], load: float) -> dict[str, object]:
    rate, latency, cpu = (
        {name: statistics.median(getattr(one, field) for one in results) for name, results in found.items()}
        for field in ("rate", "latency", "cpu")
    )
    shown: dict[str, object] = {"scenario": scenario, "load": round(load, 1)}
    for name in found:
        shown[f"{name}_requests_a_second"] = round(rate[name])
        shown[f"{name}_p50_ms"] = round(latency[name] * 1e3, 3)
        shown[f"{name}_cpu_us_a_request"] = round(cpu[name] * 1e6)
    shown["throughput_ratio"] = round(rate["on"] / rate["off"], 2)
    shown["p50_ratio"] = round(latency["on"] / latency["off"], 2)
    shown["cpu_ratio"] = round(cpu["on"] / cpu["off"], 2)
    return shown


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
    parser.add_argument("--overload-seconds", type=float, default=10.0)
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
    measure_batching(options.rounds, options.requests // 3)
    measure_overload(options.overload_seconds)


if __name__ == "__main__":
    main()
