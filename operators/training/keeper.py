"""A command that trains holds the run's lock, and so does all it starts; it ends with its keeper, and that with us.

    python -m windlass.operators.training.keeper RUN_FOLDER --attempt N --parent PID

The command and its environment stand in `command.json` in the folder. Exit codes are the command's own; 128 and the
number of the signal that ended it; 75 if the run is not free or whoever wanted it is gone; 127 if it cannot be started.
This module does not know what the command does.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from windlass.operators.errors import TrainingError
from windlass.operators.training.exitcodes import TRY_AGAIN
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.sessions import end_session

__all__ = ("main",)

_LOCK_SECONDS: Final = 10.0
_CANNOT_START: Final = 127  # as shells say it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(prog="keeper", description="Keep a command that trains one run of a TrainingJob.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="end everything as soon as this process is gone")
    given = parser.parse_args(arguments)
    # A service manager that stops a whole group asks every process of it; how the run ends is for the parent to say.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if os.getppid() != given.parent:
        return TRY_AGAIN
    threading.Thread(target=_end_with_the_parent, name="parent watch", daemon=True).start()
    folder = RunFolder(given.folder)
    try:
        with folder.lock(timeout_seconds=_LOCK_SECONDS) as lock:
            folder.mark_begun(given.attempt)
            return _keep(folder, lock)
    except TrainingError as error:
        print(error, file=sys.stderr)  # noqa: T201  (the supervisor reads it)
        return TRY_AGAIN


def _keep(folder: RunFolder, lock: int) -> int:
    told = json.loads((folder.path / "command.json").read_bytes())
    try:
        # What the command starts inherits the lock: while anything of it lives, nobody else writes (A10).
        process = subprocess.Popen(  # noqa: S603  # that is what the owner has allowed
            told["command"],
            env={**os.environ, **told["environment"]},
            stdin=subprocess.DEVNULL,
            pass_fds=(lock,),
            restore_signals=True,
            preexec_fn=_heed_signals,  # noqa: PLW1509  # the other thread only waits in read()
        )
    except OSError as error:
        print(f"the command cannot be started: {error}", file=sys.stderr)  # noqa: T201  (the supervisor reads it)
        return _CANNOT_START
    code = process.wait()
    end_session(os.getpid(), spare=os.getpid())
    return code if code >= 0 else 128 - code


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _end_with_the_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    end_session(os.getpid())
    os._exit(TRY_AGAIN)


if __name__ == "__main__":
    sys.exit(main())
