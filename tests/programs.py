"""Our programs as subprocesses, with what they say at hand while they run.

A test module writes `from programs import run, running`. Tests that call them are marked `realtime`.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import attrs

__all__ = ("WINDLASS", "Ended", "Program", "children_of", "run", "running", "until")

WINDLASS = ("-m", "windlass.cli.main")


@attrs.frozen
class Ended:
    """A program that is over; `seconds` from its start to its end."""

    code: int
    out: str
    err: str
    seconds: float


class Program:
    """A program that runs. Its output is read as it comes, so that it never waits for us."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._news = asyncio.Event()
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.out)),
            asyncio.create_task(self._read(process.stderr, self.err)),
        ]

    @property
    def pid(self) -> int:
        return self.process.pid

    async def line(self, part: str, *, seconds: float = 30.0) -> str:
        """The first line, on either stream, that contains `part`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    for line in (*self.out, *self.err):
                        if part in line:
                            return line
                    if all(reader.done() for reader in self._readers):
                        raise AssertionError(f"the program ended without saying {part!r}:\n{self}")
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"the program did not say {part!r} within {seconds} s:\n{self}") from None

    async def end(self, *, seconds: float = 60.0) -> Ended:
        """Wait for its end."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*self._readers)
                code = await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"the program did not end within {seconds} s:\n{self}") from None
        return Ended(code, "".join(self.out), "".join(self.err), self._clock() - self._started)

    def interrupt(self) -> None:
        """What Ctrl-C sends."""
        self.process.send_signal(signal.SIGINT)

    def __str__(self) -> str:
        return "".join((*self.out, *self.err))

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        try:
            while line := await stream.readline():
                lines.append(line.decode())
                self._news.set()
        finally:
            self._news.set()


@contextlib.asynccontextmanager
async def running(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[Program]:
    """`python ARGUMENTS` in the folder `cwd`, killed at the end if it still runs. No kubeconfig is inherited."""
    inherited = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=cwd, env={**inherited, "PYTHONUNBUFFERED": "1", **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    program = Program(process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await program.end()


async def run(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, seconds: float = 60.0) -> Ended:
    """`python ARGUMENTS`, from its start to its end."""
    async with running(*arguments, cwd=cwd, environment=environment) as program:
        return await program.end(seconds=seconds)


def children_of(pid: int) -> set[int]:
    """The processes that `pid` has started itself and that still run."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # After the name, which may hold spaces and parentheses: state, then the parent.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.add(int(folder.name))
    return found


async def until(question: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Ask again and again what no event can tell, until the answer is yes."""
    async with asyncio.timeout(seconds):
        while not question():  # noqa: ASYNC110  # another process changes the answer
            await asyncio.sleep(0.05)
