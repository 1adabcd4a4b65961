"""A replay ground lives for one contender: a replaying server that has sent nothing yet, and is gone afterwards."""

import asyncio
import json
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs

from windlass.benchmarks.errors import ReplayFailed

__all__ = ("ReplayGround", "replaying")

_FIGURES: Final = {
    "late_p50_ms": "sender_late_p50_ms", "late_p99_ms": "sender_late_p99_ms", "cpu_s": "sender_cpu_s",
}  # fmt: skip
_START_SECONDS: Final = 60.0


@attrs.frozen
class ReplayGround:
    """The replaying server as a contender sees it."""

    kubeconfig: Path
    _process: Process

    async def load(self) -> Mapping[str, float]:
        """Let it send all events; how late it was itself, and what that cost. Raises ReplayFailed."""
        assert self._process.stdin is not None
        with suppress(ConnectionError):  # then there is no answer either, and that is told with its reason
            self._process.stdin.write(b"go\n")
            await self._process.stdin.drain()
        said: dict[str, Any] = json.loads(await _line(self._process))
        return {ours: round(said[theirs], 4) for theirs, ours in _FIGURES.items()}


@asynccontextmanager
async def replaying(recording: Path, *, rate: float) -> AsyncIterator[ReplayGround]:
    """A server that replays this file, `rate` events a second. Raises ReplayFailed if it does not start."""
    with tempfile.TemporaryDirectory(prefix="windlass-replay-") as folder:
        kubeconfig = Path(folder, "kubeconfig")
        command = (sys.executable, "-m", "windlass.benchmarks.replay.server", str(recording))
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--kubeconfig", str(kubeconfig), "--rate", repr(rate)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await _line(process)
            except TimeoutError as error:
                raise ReplayFailed(f"it did not listen within {_START_SECONDS:g} s") from error
            yield ReplayGround(kubeconfig, process)
        finally:
            if process.returncode is None:
                process.kill()  # it holds nothing that anybody would miss
            await process.communicate()


async def _line(process: Process) -> bytes:
    """What it says next; ReplayFailed with its last words when it ended instead."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = await process.stdout.readline()
    if not line:
        words = (await process.stderr.read()).decode("utf-8", "replace").strip()
        raise ReplayFailed(words.splitlines()[-1] if words else f"it ended with code {await process.wait()}")
    return line
