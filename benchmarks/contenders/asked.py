"""A server in the contender's process is asked by a client in another: its CPU is that of the answers alone."""

import asyncio
import json
import sys
import tempfile
from asyncio.subprocess import PIPE
from typing import Any, Final

from windlass.benchmarks.shared import asking
from windlass.benchmarks.shared.meter import Meter
from windlass.benchmarks.shared.task import Task

__all__ = ("BODY", "PATH", "asked")

PATH: Final = "/v2/models/linear/infer"
BODY: Final[dict[str, Any]] = {
    "id": "1",  # KServe's server answers 500 to a request without one
    "inputs": [{"name": "x", "datatype": "FP64", "shape": [4], "data": [1.0, 2.0, 3.0, 4.0]}],
}


async def asked(task: Task, url: str) -> None:
    """Print the answer of a contender in the scenario `serving` whose server listens at `url`."""
    meter = Meter()
    with tempfile.NamedTemporaryFile() as body:
        body.write(json.dumps(BODY).encode())
        body.flush()
        words = ["--wait", "--requests", str(task.objects), "--header", "Content-Type: application/json"]
        client = await asyncio.create_subprocess_exec(
            sys.executable, asking.__file__, url + PATH, body.name, *words, stdin=PIPE, stdout=PIPE
        )
        assert client.stdin is not None
        assert client.stdout is not None
        await client.stdout.readline()  # it is connected
        meter.start()
        client.stdin.write(b"go\n")
        said = await client.stdout.readline()
        meter.stop()
        await client.communicate()
    found = json.loads(said)
    own = {name: found[name] for name in ("requests", "p50_ms", "p99_ms")}
    meter.report(requests_a_second=found["rate"], **own)
