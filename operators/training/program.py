"""A training program writes only while it holds the run's lock, can be killed any time, and dies with its parent.

    python -m MODULE RUN_FOLDER --attempt N --parent PID

Exit codes: 0 done; 1 failed for good, with the reason in `failure.json` and as the last line on stderr; 2 wrong usage;
75 try again. A run that has its result is not trained again. This module does not know what is trained, nor the API
server.
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import DataError, TrainingError
from windlass.operators.training.checkpoints import Skipped
from windlass.operators.training.exitcodes import FAILED, TRY_AGAIN
from windlass.operators.training.files import canonical_json, replace_file
from windlass.operators.training.runfolder import Progress, RunFolder
from windlass.operators.training.split import held_out

__all__ = ("report", "report_skipped", "run_program", "split_rows")

_LOCK_SECONDS: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1


def run_program(train: Callable[[RunFolder], None], arguments: Sequence[str] | None = None) -> int:
    """Run the program, in which `train` does the work while the lock is held, and return its exit code."""
    parser = argparse.ArgumentParser(prog="trainer", description="Train one run of a TrainingJob.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--parent", type=int, default=None, help="exit as soon as this process is gone")
    given = parser.parse_args(arguments)
    if given.parent is not None:
        _die_with(given.parent)
    folder = RunFolder(given.folder)
    try:
        with folder.lock(timeout_seconds=_LOCK_SECONDS):
            folder.mark_begun(given.attempt)
            if folder.result() is None:
                _train(train, folder)
    except TrainingError as error:
        print(error, file=sys.stderr)  # noqa: T201  (the supervisor reads it)
        return TRY_AGAIN if error.retryable else FAILED
    return 0


def report(folder: RunFolder, progress: Progress) -> None:
    """Say where training stands, in the run's log and to whoever listens."""
    line = json.dumps(attrs.asdict(progress))
    with folder.progress_log.open("a") as file:
        file.write(line + "\n")
    # Nobody listening is no reason to stop: the watcher below decides about that.
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)  # noqa: T201  (the supervisor reads it)


def report_skipped(skipped: Sequence[Skipped]) -> None:
    """Say which checkpoints were passed over."""
    for entry in skipped:
        print(f"checkpoint {entry.folder.name} is not used: {entry.why}", file=sys.stderr)  # noqa: T201


def split_rows(folder: RunFolder, ids: npt.NDArray[np.int64], *, seed: int, holdout: float) -> npt.NDArray[np.bool_]:
    """Mark the rows to hold out, and record their ids in `split.json`.

    Raises DataError with the reason DataUnsuitable when one side is left empty.
    """
    mask = held_out(ids, seed=seed, share=holdout)
    if bool(mask.all()) or not bool(mask.any()):
        raise DataError(
            f"{len(ids)} rows split with validation.holdout {holdout:g} leave {int(mask.sum())} held out "
            f"and {int((~mask).sum())} to train on; both sides need at least one",
            reason="DataUnsuitable",
        )
    split = {"seed": seed, "holdout": holdout, "heldOut": [int(row) for row in ids[mask]]}
    replace_file(folder.split, canonical_json(split))
    return mask


def _train(train: Callable[[RunFolder], None], folder: RunFolder) -> None:
    try:
        train(folder)
    except TrainingError as error:
        if not error.retryable:
            replace_file(folder.path / "failure.json", canonical_json({"reason": error.reason, "message": str(error)}))
        raise


def _die_with(parent: int) -> None:
    """End this process at once when `parent` ends: by the kernel where it can, and by the end of stdin everywhere."""
    # A service manager that stops a whole group asks every process of it; how the run ends is for the parent to say.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(TRY_AGAIN)

    def wait_for_the_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        # No clean-up: every file is either complete under its name or not there at all.
        os._exit(TRY_AGAIN)

    threading.Thread(target=wait_for_the_end, name="parent watch", daemon=True).start()
