"""Servers as processes of their own, the load that is put on them, and what the kernel says they cost."""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Coroutine, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs

from windlass.benchmarks.shared import asking

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]


@attrs.frozen
class Measured:
    """Requests a second, latencies in milliseconds, and the server's CPU microseconds a request."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float = 0.0


def run(serve: Callable[[Connection], Coroutine[Any, Any, None]], ready: Connection, cores: set[int]) -> None:
    os.sched_setaffinity(0, cores)
    asyncio.run(serve(ready))


def start(
    serve: Callable[[Connection], Coroutine[Any, Any, None]], *, cores: Collection[int] = (SERVER_CORE,)
) -> tuple[multiprocessing.process.BaseProcess, str]:
    """The process and the URL that it sends once it listens."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=run, args=(serve, there, set(cores)), daemon=True)
    process.start()
    url: str = here.recv()
    return process, url


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def load(pid: int, url: str, body: bytes, *, headers: Sequence[str], connections: int, seconds: float) -> Measured:
    """What the server answers to `asking.py`, which runs on another core where there is one."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        command = [sys.executable, asking.__file__, url, file.name, "--core", str(CLIENT_CORE)]
        command += ["--connections", str(connections), "--seconds", str(seconds)]
        for header in headers:
            command += ["--header", header]
        before = cpu_seconds(pid)
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        cpu = (cpu_seconds(pid) - before) / found["requests"] * 1e6
    return Measured(found["rate"], found["p50_ms"], found["p99_ms"], cpu)
