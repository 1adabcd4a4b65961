"""What dynamic batching gains, what a latency goal costs, and what happens under ten times the load that can be borne.

    python tests/benchmarks/bench_batching.py [--seconds 2] [--rounds 3] [--overload-seconds 10]

Two ONNX perceptrons, 784-512-10 and 784-2048-2048-10, are asked for one row a request at 64 connections and at one, as
JSON and as raw tensors, by a client on another core. Four policies take turns in the same run: `off`, each request by
itself; `on`, up to 64 rows, where warm-up may find that the model is too fast to gain; `always`, which overrules that;
and `goal`, `always` with a latency goal of 20 ms. `explained` is the gain that the executions alone account for: the
CPU time of a request without batching, over the same less an execution of one row plus a 64th of one of 64 rows, both
measured here with warm caches. What batching gains beyond it, it saves in hops to threads, turns of the loop and
caches.

Overload (DB16) is ten times the requests a second that the endpoint answers when it is merely busy, sent whether or not
earlier ones were answered, to a model that takes 80 ms for up to eight rows and lets 16 requests wait.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from processes import CORES, Measured, load, resident_mib, start

from windlass.serving import (
    Batching,
    Endpoint,
    Limits,
    Model,
    ModelRepository,
    OnnxRuntime,
    Policy,
    Source,
    TensorSpec,
)

MLPS = {"mlp-512": (784, 512, 10), "mlp-2048": (784, 2048, 2048, 10)}
POLICIES = {
    "off": Policy(),
    "on": Policy(batching=Batching(rows_max=64)),
    "always": Policy(batching=Batching(rows_max=64, always=True)),
    "goal": Policy(batching=Batching(rows_max=64, always=True, latency_goal_seconds=0.02)),
}
ROW = np.random.default_rng(2).random((1, 784), dtype=np.float32)


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


def loaded(kind: str) -> Model:
    return OnnxRuntime().load(Source(kind, "1", Path("mlp.onnx"), mlp(*MLPS[kind])))


async def serve_mlp(ready: Connection) -> None:
    """Each perceptron once for each policy."""
    repository = ModelRepository(None)
    for kind, (name, policy) in itertools.product(MLPS, POLICIES.items()):
        repository.add(f"{kind}-{name}", loaded(kind), policy=policy)
    async with Endpoint(repository, port=0) as endpoint:
        ready.send(endpoint.url)
        await asyncio.Event().wait()


def request(form: str) -> tuple[bytes, list[str]]:
    """The body and the headers for one row."""
    tensor: dict[str, Any] = {"name": "x0", "datatype": "FP32", "shape": [1, 784]}
    if form == "JSON":
        body = {"inputs": [{**tensor, "data": ROW.ravel().tolist()}]}
        return json.dumps(body).encode(), ["Content-Type: application/json"]
    tensor["parameters"] = {"binary_data_size": ROW.nbytes}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = ["Content-Type: application/octet-stream", f"Inference-Header-Content-Length: {len(head)}"]
    return head + ROW.tobytes(), headers


def execution_us(kind: str, rows: int) -> float:
    """The least that an execution of so many rows takes in this process."""
    model, inputs = loaded(kind), {"x0": np.repeat(ROW, rows, axis=0)}

    def once() -> float:
        before = time.perf_counter()
        model.predict(inputs)
        return time.perf_counter() - before

    return min(once() for _ in range(200)) * 1e6


def measure_batching(rounds: int, seconds: float) -> None:
    process, url = start(serve_mlp)
    for kind, form, connections in itertools.product(MLPS, ("JSON", "raw"), (64, 1)):
        average = os.getloadavg()[0]
        body, headers = request(form)
        found: dict[str, list[Measured]] = {name: [] for name in POLICIES}
        for number in range(rounds + 1):
            for name, results in found.items():
                path = f"{url}/v2/models/{kind}-{name}/infer"
                result = load(process.pid or 0, path, body, headers=headers, connections=connections, seconds=seconds)
                if number:  # the first round warms up
                    results.append(result)
        print(json.dumps(row(kind, form, connections, found) | {"load": round(average, 1)}), flush=True)
    process.terminate()


def row(kind: str, form: str, connections: int, found: dict[str, list[Measured]]) -> dict[str, object]:
    def median(name: str, field: str) -> float:
        return statistics.median(getattr(one, field) for one in found[name])

    shown: dict[str, object] = {"scenario": f"batching {kind} {form}, connections: {connections}"}
    for name in found:
        shown[f"{name}_requests_a_second"] = round(median(name, "rate"))
        shown[f"{name}_p50_ms"] = round(median(name, "p50_ms"), 2)
        shown[f"{name}_p99_ms"] = round(median(name, "p99_ms"), 2)
        shown[f"{name}_cpu_us_a_request"] = round(median(name, "cpu_us"))
    for name in list(found)[1:]:
        shown[f"{name}_to_off"] = round(median(name, "rate") / median("off", "rate"), 2)
        shown[f"{name}_cpu_gain"] = round(median("off", "cpu_us") / median(name, "cpu_us"), 2)
    alone, many = execution_us(kind, 1), execution_us(kind, 64) / 64
    whole = median("off", "cpu_us")
    shown |= {
        "row_us": round(alone, 1),
        "row_of_64_us": round(many, 1),
        "explained": round(whole / (whole - alone + many), 2),
    }
    return shown


async def rate_of(callers: int, requests: int, one: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Calls of `one` a second, `callers` at a time."""
    left = iter(range(requests))

    async def caller() -> None:
        for _ in left:
            await one()

    before = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return requests / (time.perf_counter() - before)


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


def measure_overload(seconds: float) -> None:
    process, url = start(serve_sleepy, cores=CORES)
    load = os.getloadavg()[0]

    async def one(session: aiohttp.ClientSession) -> None:
        async with session.post("/v1/models/sleepy:predict", json={"instances": [1.0]}) as response:
            await response.read()

    async def busy() -> float:
        async with aiohttp.ClientSession(url) as session:
            return await rate_of(16, 600, lambda: one(session))

    rate = asyncio.run(busy())
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--overload-seconds", type=float, default=10.0)
    options = parser.parse_args()
    measure_batching(options.rounds, options.seconds)
    measure_overload(options.overload_seconds)


if __name__ == "__main__":
    main()
