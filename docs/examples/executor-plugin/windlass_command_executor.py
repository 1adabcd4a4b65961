"""Runs a command once for each operation id, and finds it again after any restart: all there is to know is on disk.

The folder of an operation holds `claimed` once a shell has taken the work on, `pid` while that runs, and `exit` with
the command's code when it has ended.
"""

import asyncio
import hashlib
import os
import signal
from pathlib import Path
from typing import Literal

import attrs

__all__ = ("COMMAND", "Command", "CommandExecutor", "Observation", "Plan")

_START_SECONDS_MAX = 30.0


@attrs.frozen
class Command:
    """The job: what to run, and where the folders of its operations lie."""

    name: str
    shell: str
    root: Path


@attrs.frozen
class Plan:
    """What will be started. Equal jobs give equal plans, so the operation id is a name for the work itself."""

    operation_id: str
    shell: str
    folder: Path


@attrs.frozen
class Observation:
    """What is true of the work now. `lost`: it was started, and neither runs nor has said how it ended."""

    state: Literal["absent", "running", "done", "lost"]
    exit_code: int | None = None


class CommandExecutor:
    """The contract of `windlass.controller.executors`; a handle is the plan's folder, which survives restarts."""

    name = "command"
    capabilities = ("cancel", "resume")

    def render(self, job: Command) -> Plan:
        operation_id = hashlib.sha256(f"{job.name}\n{job.shell}".encode()).hexdigest()[:16]
        return Plan(operation_id, job.shell, job.root / operation_id)

    async def start(self, plan: Plan) -> Path:
        plan.folder.mkdir(parents=True, exist_ok=True)
        if (await self.observe(plan.folder)).state != "absent":
            return plan.folder
        # Of two starts at one moment one makes the folder and the other ends. The shell that does the work is nobody's
        # child, in a session of its own, and all that is to be remembered it writes itself: we need not stay.
        work = f"echo $$ > pid.new; mv pid.new pid; ({plan.shell}); echo $? > exit.new; mv exit.new exit; rm pid"
        script = 'mkdir claimed 2>/dev/null || exit 0; setsid /bin/sh -c "$0" &'
        starter = await asyncio.create_subprocess_exec("/bin/sh", "-c", script, work, cwd=plan.folder)
        await starter.wait()
        async with asyncio.timeout(_START_SECONDS_MAX):
            while (await self.observe(plan.folder)).state not in ("running", "done"):  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.005)
        return plan.folder

    async def observe(self, handle: Path) -> Observation:
        pid = _number(handle / "pid")
        if pid is not None and _lives(pid) and not (handle / "exit").exists():
            return Observation("running")
        code = _number(handle / "exit")
        if code is not None:
            return Observation("done", code)
        return Observation("lost" if (handle / "claimed").exists() else "absent")

    async def cancel(self, handle: Path) -> None:
        pid = _number(handle / "pid")
        if pid is None or not _lives(pid):
            return
        os.killpg(pid, signal.SIGTERM)
        while _lives(pid):  # noqa: ASYNC110  # it may not be our child, so there is nothing to wait for
            await asyncio.sleep(0.02)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


COMMAND = CommandExecutor()
