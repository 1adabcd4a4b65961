"""One meter a process: CPU of all its threads, and its resident memory, from the start of the work to its end.

It stands on the standard library alone, because contenders from other packages read themselves with it, too. Memory is
in MB of 1e6 bytes.
"""

import asyncio
import ctypes
import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

__all__ = ("IDLE_SECONDS", "Meter", "connections", "memory_mb")

IDLE_SECONDS: Final = 3.0
"""How long a process is looked at that should do nothing."""

_REST_SECONDS = 1.0


def memory_mb(name: str) -> float:
    """A line of this process's /proc/self/status: `VmRSS` is what it holds now, `VmHWM` the most that it ever held."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024 / 1e6
    raise RuntimeError(f"no {name} in /proc/self/status")


def connections() -> int:
    """How many sockets this process has open to elsewhere; those that a loop wakes itself with are not counted."""
    tables = [Path(f"/proc/self/net/{name}").read_text(encoding="ascii").splitlines()[1:] for name in ("tcp", "tcp6")]
    known = {line.split()[9] for table in tables for line in table}
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:  # the folder's own descriptor is gone by now
            continue
        found += target.startswith("socket:[") and target[len("socket:[") : -1] in known
    return found


class Meter:
    """Made when the contender is about to begin: what came before is its start-up, and is told apart."""

    def __init__(self) -> None:
        self._startup = _cpu_seconds()
        self._peak_before = memory_mb("VmHWM")
        self._before = _settled_mb()
        self._peak = _peak_from_now()
        self.start()

    def again(self) -> None:
        """A second part begins, which is measured alone: its growth, too, is from what is held now."""
        self._peak_before = max(self._peak_before, memory_mb("VmHWM"))
        self._before = _settled_mb()
        self._peak = _peak_from_now()
        self.start()

    def start(self) -> None:
        """The work begins now; scenarios that measure a second part call it again."""
        self._wall = time.perf_counter()
        self._cpu = _cpu_seconds()

    def ready(self) -> None:
        """Ask for the load, and begin."""
        self._print("ready")
        self.start()

    def stop(self) -> None:
        """The work has ended: what is tidied up from here on is not part of it."""
        self._wall = time.perf_counter() - self._wall
        self._cpu = _cpu_seconds() - self._cpu
        self._peak = memory_mb("VmHWM")

    async def idle_cpu_ms(self, seconds: float) -> float:
        """CPU milliseconds a second that this process takes while nothing happens for so long."""
        before = _cpu_seconds()
        await asyncio.sleep(seconds)
        return (_cpu_seconds() - before) / seconds * 1e3

    def report(self, **own: Any) -> None:
        """Print the contender's answer; call it while everything that the contender holds is still held.

        `growth_mb` is what a container would have to have room for: what the process holds a second after its work, no
        garbage collector asked. `growth_forced_mb` is what is left after it was made to give back all that it can.
        """
        time.sleep(_REST_SECONDS)
        held = memory_mb("VmRSS")
        answer = {
            "wall_s": self._wall,
            "cpu_s": self._cpu,
            "startup_cpu_s": self._startup,
            "rss_peak_mb": max(self._peak_before, self._peak),
            "peak_growth_mb": max(0.0, self._peak - self._before),
            "growth_mb": held - self._before,
            "growth_forced_mb": _settled_mb() - self._before,
            **own,
        }
        self._print(json.dumps(answer))

    @staticmethod
    def _print(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_from_now() -> float:
    """Let VmHWM begin anew, at what is held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory_mb("VmHWM")


def _settled_mb() -> float:
    """Resident memory after all that can be given back was given back, as Go's contender does it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return memory_mb("VmRSS")
