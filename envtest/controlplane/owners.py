"""What a process that was killed left behind can be told from what a living one uses, by a mark that names the process.

A process id alone would not do: ids are given anew. On Linux the mark also carries the moment when the process started;
elsewhere a mark whose id is in use again counts as in use.
"""

import os
import socket
from pathlib import Path

__all__ = ("is_left_behind", "owner_mark")

_LARGEST_ID = 2**31 - 1


def owner_mark() -> str:
    """The mark of this process: `host/pid/start`, letters that a label of Docker or of Kubernetes' tools may have."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def is_left_behind(mark: str) -> bool:
    """Whether `mark` is of a process of this machine that has ended. False for every other text, and other machines."""
    host, process, start = mark.rsplit("/", 2) if mark.count("/") >= 2 else ("", "", "")
    if host != socket.gethostname() or not process.isdecimal() or not 0 < int(process) <= _LARGEST_ID:
        return False
    return not _exists(int(process)) or _started(int(process)) != start


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _started(process: int) -> str:
    """When the process started, in clock ticks since the machine did; "" where that cannot be known."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # the name, in parentheses, may hold anything
