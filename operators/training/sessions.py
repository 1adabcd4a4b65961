"""A session of processes ends as a whole, whatever was started in it and by whom; only who leaves it is spared.

Processes are found in /proc; where there is none, the group of the leader has to do. This module does not know what
the processes are for.
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

__all__ = ("end_session", "members")

_ROUNDS: Final = 20  # somebody who forks meanwhile is found in the next one
_PROC: Final = Path("/proc")


def end_session(leader: int, *, spare: int | None = None) -> None:
    """Kill every process of the session that `leader` began, but for the one called `spare`. Does not wait for ends."""
    if not (_PROC / "self" / "stat").exists():
        if spare is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)
        return
    for _ in range(_ROUNDS):
        left = [pid for pid in members(leader) if pid != spare]
        if not left:
            return
        # Held first: a shell whose command has been killed would go on with its next one.
        _signal([pid for pid in left if pid != os.getpid()], signal.SIGSTOP)
        _signal(sorted(left, key=lambda pid: pid == os.getpid()), signal.SIGKILL)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def members(leader: int) -> list[int]:
    """The processes of a session that have not ended yet."""
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            # After the name, which may hold anything: state, parent, group, session.
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state not in "ZX":
                found.append(int(entry.name))
    return found
