"""A program's way from its start to the line with which it says that it is ready, and what it takes while idle.

The figures are those of the program that is started, as the kernel counts them. It is started twice, and the first time
is not counted: what Python compiles when it meets a file first is no part of a start.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from windlass.benchmarks.errors import BenchmarkError

__all__ = ("import_cpu_seconds", "launched")

_IDLE_SECONDS: Final = 3.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_IMPORTS: Final = 3


async def launched(command: Sequence[str], *, ready: bytes, **own: Any) -> None:
    """Print the answer of a contender in the scenario `startup`; `ready` is how the line begins that is waited for."""
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as folder:
        async with _started(command, ready, folder):
            pass
        began = time.perf_counter()
        async with _started(command, ready, folder) as pid:
            wall, cpu = time.perf_counter() - began, _cpu_seconds(pid)
            await asyncio.sleep(_IDLE_SECONDS)
            idle = (_cpu_seconds(pid) - cpu) / _IDLE_SECONDS * 1e3
            held, peak = _memory_mb(pid, "VmRSS"), _memory_mb(pid, "VmHWM")
        if own.pop("imports", False):
            own["import_cpu_s"] = import_cpu_seconds("windlass.controller")
    answer = {"wall_s": wall, "cpu_s": cpu, "startup_cpu_s": 0.0, "rss_peak_mb": peak, "growth_mb": held}
    sys.stdout.write(json.dumps({**answer, "idle_cpu_ms_a_second": idle, **own}) + "\n")


def import_cpu_seconds(module: str) -> float:
    """CPU of a Python that imports the module, less that of one that imports nothing: the least of a few of each."""
    return _least(f"import {module}") - _least("pass")


def _least(program: str) -> float:
    return min(_child_cpu_seconds(program) for _ in range(_IMPORTS))


def _child_cpu_seconds(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program], _environment())
    _, status = os.waitpid(pid, 0)
    if status:
        raise BenchmarkError(f"python -c {program!r} ended with {os.waitstatus_to_exitcode(status)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@asynccontextmanager
async def _started(command: Sequence[str], ready: bytes, folder: str) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    try:
        async for line in process.stdout:
            said += line
            if line.startswith(ready):
                break
        else:
            words = said.decode("utf-8", "replace").strip()
            raise BenchmarkError(f"{' '.join(command)}: it ended before it was ready: {words}")
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def _environment() -> dict[str, str]:
    # As after an installation: what is compiled is kept, whatever the surroundings say.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024 / 1e6
    raise BenchmarkError(f"no {name} in /proc/{pid}/status: the program has ended")
