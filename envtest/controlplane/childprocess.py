"""A child process never outlives its parent, whether that one ends well, by an exception or by SIGKILL.

Linux kills the child when the *thread* that started it ends (PR_SET_PDEATHSIG), so start it from a thread that lives as
long as the child should. Elsewhere nothing covers a SIGKILL of the parent. Nothing here belongs to an event loop: a
child started under one loop may be stopped under another. What the program does, and when it is ready, is not known.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

__all__ = ("ChildProcess",)

_POLL_SECONDS = 0.02
_TAIL_BYTES = 16 * 1024

# Runs between fork and exec, as a program of its own: a preexec_fn is unsafe (and warned about) in a process with
# threads. The parent may have died before prctl took effect, hence the look at getppid after it.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    try:
        os.execv(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


@attrs.frozen(eq=False)
class ChildProcess:
    """One program running in the background, its standard output and error appended to a log file."""

    name: str
    log: Path
    _popen: subprocess.Popen[bytes]

    @classmethod
    def start(cls, program: Path, arguments: Sequence[str], *, log: Path) -> "ChildProcess":
        """Start `program`, named by its full path. What cannot be executed ends at once; the log says why."""
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(program), *arguments]
        with log.open("ab") as output:
            # In a session of its own the program gets no Ctrl-C from the terminal: that is for the parent, which stops
            # its children in order. The program is the caller's choice, and no shell is involved, hence the noqa.
            popen = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                start_new_session=True,
            )
        return cls(program.name, log, popen)

    @property
    def pid(self) -> int:
        """The process id, valid as long as `running`."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for the number of the signal that ended it, None while it runs."""
        return self._popen.poll()

    def log_tail(self, lines: int = 20) -> str:
        """The last `lines` lines that the program wrote, undecodable bytes replaced."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """End the process at once (SIGKILL) and reap it. Does nothing when it has ended."""
        self._popen.kill()
        self._popen.wait()

    async def stop(self, seconds: float) -> None:
        """Ask the process to end (SIGTERM); kill it if it has not after `seconds`, or if this is cancelled."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            self._popen.terminate()
            while self.running and loop.time() < deadline:  # noqa: ASYNC110 - no loop owns the child, so none is told
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self.kill()
