"""Every trainer process has one owner, is known by its run, and never outlives the controller.

Processes live in the task group of `run()`. A run has at most one process here; whether another controller's process
still writes is decided by the lock of the run's folder, not here. This module does not know what a trainer does or
what follows from its exit.
"""

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import attrs

from windlass.informers.keys import Key
from windlass.operators.training.attemptlog import AttemptLog
from windlass.operators.training.files import decode_object
from windlass.operators.training.runfolder import Progress, RunFolder
from windlass.operators.training.sessions import end_session

__all__ = ("Exited", "Idle", "State", "Supervisor", "Working")

_STDERR_LINES: Final = 20
_LINE_BYTES_MAX: Final = 64 * 1024
_LAST_LINE_CHARACTERS: Final = 500

# One thread each: the batches are small, and several trainers share the machine. The same thread count also keeps
# sums in the same order.
_THREADS: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@attrs.frozen
class Idle:
    """No process of this run was started here."""


@attrs.frozen
class Working:
    """The process is alive."""

    attempt: int
    progress: Progress | None = None


@attrs.frozen
class Exited:
    """The process has ended: its exit code (negative: the signal) and the last line it wrote to stderr."""

    attempt: int
    code: int
    last_line: str = ""


State = Idle | Working | Exited


@attrs.define
class _Child:
    key: Key
    attempt: int
    process: asyncio.subprocess.Process
    log: AttemptLog
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    stderr: deque[str] = attrs.field(factory=lambda: deque(maxlen=_STDERR_LINES))
    shown: Progress | None = None  # what observers see; follows what the process says at the pace of the settings
    woken_at: float = float("-inf")


class Supervisor:
    """Starts, watches and stops trainer processes; a runnable of the manager.

    `wake(key)` is called when a process has ended, and at most every `progress_seconds` while it reports progress.
    """

    name = "training-supervisor"

    def __init__(self, wake: Callable[[Key], None], *, progress_seconds: float = 0.25) -> None:
        self._wake = wake
        self._progress_seconds = progress_seconds
        self._children: dict[str, _Child] = {}  # by run id; changed only by the methods below, on the loop
        self._starting: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Own the processes until cancelled; then kill those that are left and wait for them."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._ready.set()
                group.create_task(asyncio.Event().wait(), name="training supervisor")
        finally:
            self._group = None
            self._ready.clear()

    async def start(self, key: Key, run: str, *, attempt: int, module: str, folder: Path) -> None:
        """Start `python -m module FOLDER`, unless one works on this run already. Waits until `run()` is at work."""
        await self._ready.wait()
        if run in self._starting or isinstance(self.state(run), Working):
            return
        self._starting.add(run)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a folder named like one of ours in the working directory must not be imported
                "-m",
                module,
                str(folder),
                "--attempt",
                str(attempt),
                "--parent",
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,  # its end tells the child that we are gone
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **_THREADS},
                limit=_LINE_BYTES_MAX,
                start_new_session=True,  # Ctrl-C in our terminal is for us; what it means for trainers we decide
            )
        finally:
            self._starting.discard(run)
        child = _Child(key, attempt, process, AttemptLog(RunFolder(folder).log(attempt)))
        self._children[run] = child
        if self._group is None:
            process.kill()
            raise RuntimeError("the supervisor of the trainers has stopped")
        self._group.create_task(self._watch(child), name=f"trainer {key} attempt {attempt}")

    def state(self, run: str) -> State:
        """What is known here about the run's process."""
        child = self._children.get(run)
        if child is None:
            return Idle()
        if child.ended.is_set():
            code = child.process.returncode
            return Exited(child.attempt, 0 if code is None else code, child.stderr[-1] if child.stderr else "")
        return Working(child.attempt, child.shown)

    async def stop(self, run: str) -> None:
        """Kill the run's process, if there is one, wait for its end and forget it."""
        child = self._children.get(run)
        if child is None:
            return
        if not child.ended.is_set():
            end_session(child.process.pid)
        await child.ended.wait()
        if self._children.get(run) is child:
            del self._children[run]

    def __repr__(self) -> str:
        working = sum(not child.ended.is_set() for child in self._children.values())
        return f"<Supervisor working={working} ended={len(self._children) - working}>"

    async def _watch(self, child: _Child) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_progress(child), name=f"trainer {child.key} stdout")
                group.create_task(_read_errors(child), name=f"trainer {child.key} stderr")
            await child.process.wait()
        finally:
            if child.process.returncode is None:
                end_session(child.process.pid)
                await child.process.wait()
            child.log.close()
            child.ended.set()
            self._wake(child.key)

    async def _read_progress(self, child: _Child) -> None:
        assert child.process.stdout is not None
        clock = asyncio.get_running_loop().time
        async for line in _lines(child.process.stdout):
            progress = Progress.parse(decode_object(line))
            if progress is None:
                child.log.write(line.decode("utf-8", "replace"))
            elif clock() - child.woken_at >= self._progress_seconds:
                child.woken_at = clock()
                child.shown = progress
                self._wake(child.key)


async def _read_errors(child: _Child) -> None:
    assert child.process.stderr is not None
    async for line in _lines(child.process.stderr):
        text = line.decode("utf-8", "replace").rstrip()
        child.log.write(text)
        if text:
            child.stderr.append(text.strip()[:_LAST_LINE_CHARACTERS])


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # a line longer than the limit: what was read of it is dropped
            continue
        if not line:
            return
        yield line
