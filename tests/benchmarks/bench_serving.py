"""What a prediction costs: the endpoint against a bare aiohttp handler and against KServe's Python server, in one run.

    python tests/benchmarks/bench_serving.py [--seconds 3] [--rounds 5] [--connections 32] [--check]

Each server is a process on one core, asked in turn by the same client on another core over kept-alive connections; of
the rounds the median counts. The bare handler decodes and encodes JSON with msgspec and does the arithmetic: no
validation, no metrics, no deadline, no admission, one path. KServe's server comes from its own environment
(`make .venv/peers/.installed`) and is left out where that is missing. Rates need a quiet machine; the CPU time for a
request, which the kernel counts, needs one less. `load` is the machine's load average before a row was measured.
With `--check` a ratio outside of `BANDS` is named, and the exit code is 1.

What a shadow costs its route (T11) is measured at a tenth of the connections, with the same model as arm and as shadow:
every request is copied as long as there is room for its copy, and room there is while the endpoint is not busy.

What batching gains, and what happens under overload, is measured by `bench_batching.py`; what a request costs beside
the sockets, on however busy a machine, by `bench_request.py`.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web
from processes import SERVER_CORE, Measured, load, start

from windlass.benchmarks.contenders import bare
from windlass.benchmarks.contenders.asked import BODY, PATH
from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.traffic import Arm, Route, Routes, Shadow, TrafficOptions

PATHS: dict[str, tuple[str, Any]] = {
    "predict": ("/predict", {"x": 2.5}),
    "v2": (PATH, BODY),
}
# For each ratio the least, or the most, that is good enough.
BANDS = {"rate_to_bare": (0.7, math.inf), "p99_to_bare": (0.0, 1.5), "rate_to_kserve": (8.0, math.inf)}
PEERS = Path(__file__).parents[2] / ".venv" / "peers" / "bin" / "python"


async def serve_bare(ready: Connection) -> None:
    runner = web.AppRunner(bare.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    ready.send(f"http://{host}:{port}")
    await asyncio.Event().wait()


async def serve_ours(ready: Connection) -> None:
    repository = ModelRepository(None)
    repository.add("linear", LinearModel())
    arm, shadow = (Arm("a", "linear", weight=100),), (Shadow("s", "linear"),)
    routes = Routes.of(Route("routed", arm), Route("shadowed", arm, shadows=shadow))
    options = EndpointOptions(traffic=TrafficOptions(routes))
    async with Endpoint(repository, port=0, options=options) as endpoint:
        ready.send(endpoint.url)
        await asyncio.Event().wait()


@contextlib.contextmanager
def kserve() -> Iterator[tuple[int, str]]:
    """The process id and the URL of KServe's server with the same model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(__file__).with_name("kserve_linear.py")
    process = subprocess.Popen([PEERS, program, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/v2/health/ready"):
                break
            time.sleep(0.1)
        yield process.pid, url
    finally:
        process.terminate()
        process.wait()


def row(name: str, found: dict[str, list[Measured]], load_average: float) -> dict[str, object]:
    def median(server: str, field: str) -> float:
        return statistics.median(getattr(one, field) for one in found[server])

    shown: dict[str, object] = {"scenario": f"serving {name}", "load": round(load_average, 1)}
    for server in found:
        shown[f"{server}_requests_a_second"] = round(median(server, "rate"))
        shown[f"{server}_p99_ms"] = round(median(server, "p99_ms"), 2)
        shown[f"{server}_cpu_us_a_request"] = round(median(server, "cpu_us"))
    shown["rate_to_bare"] = round(median("ours", "rate") / median("bare", "rate"), 2)
    shown["p99_to_bare"] = round(median("ours", "p99_ms") / median("bare", "p99_ms"), 2)
    shown["cpu_to_bare"] = round(median("ours", "cpu_us") / median("bare", "cpu_us"), 2)
    if "kserve" in found:
        shown["rate_to_kserve"] = round(median("ours", "rate") / median("kserve", "rate"), 2)
        shown["cpu_to_kserve"] = round(median("ours", "cpu_us") / median("kserve", "cpu_us"), 2)
    return shown


def measure_shadow(server: tuple[int, str], options: argparse.Namespace) -> dict[str, object]:
    """The same route with a shadow and without one, in turn."""
    pid, url = server
    average, found = os.getloadavg()[0], {"routed": [], "shadowed": []}
    for number in range(options.rounds + 1):
        for name, results in found.items():
            result = load(
                pid,
                f"{url}/v2/models/{name}/infer",
                json.dumps(PATHS["v2"][1]).encode(),
                headers=["Content-Type: application/json"],
                connections=max(1, options.connections // 10),
                seconds=options.seconds,
            )
            if number:
                results.append(result)
    shown: dict[str, object] = {"scenario": "serving a shadow", "load": round(average, 1)}
    for field in ("rate", "p50_ms", "p99_ms", "cpu_us"):
        plain, shadowed = (statistics.median(getattr(one, field) for one in found[name]) for name in found)
        shown |= {f"routed_{field}": round(plain, 2), f"shadowed_{field}": round(shadowed, 2)}
        shown[f"{field.partition('_')[0]}_to_routed"] = round(shadowed / plain, 2)
    return shown


def outside(shown: dict[str, Any]) -> list[str]:
    """A sentence for each ratio that is not within its band."""
    found = []
    for name, (least, most) in BANDS.items():
        if name in shown and not least <= shown[name] <= most:
            found.append(f"{shown['scenario']}: {name} is {shown[name]}, expected {least} to {most}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    faults: list[str] = []
    with contextlib.ExitStack() as running:
        servers: dict[str, tuple[int, str]] = {}
        for server, serve in (("bare", serve_bare), ("ours", serve_ours)):
            process, url = start(serve)
            running.callback(process.terminate)
            servers[server] = (process.pid or 0, url)
        if PEERS.exists():
            servers["kserve"] = running.enter_context(kserve())
        for name, (path, body) in PATHS.items():
            average = os.getloadavg()[0]
            asked = [each for each in servers if name == "v2" or each != "kserve"]
            found: dict[str, list[Measured]] = {each: [] for each in asked}
            for number in range(options.rounds + 1):
                for each in asked:
                    pid, url = servers[each]
                    result = load(
                        pid,
                        url + path,
                        json.dumps(body).encode(),
                        headers=["Content-Type: application/json"],
                        connections=options.connections,
                        seconds=options.seconds,
                    )
                    if number:  # the first round warms up
                        found[each].append(result)
            shown = row(name, found, average)
            print(json.dumps(shown), flush=True)
            faults += outside(shown)
        print(json.dumps(measure_shadow(servers["ours"], options)), flush=True)
    if options.check and faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
