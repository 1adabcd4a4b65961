"""The training program writes only while it holds the run's lock, can be killed any time, and dies with its parent.

    python -m windlass.operators.training.trainer RUN_FOLDER --attempt N --parent PID

It reads `config.json` in the folder, resumes after the newest complete checkpoint, prints a JSON line for each epoch,
and writes `result.json` last. Exit codes: 0 done; 1 failed for good, with the reason in `failure.json` and as the
last line on stderr; 2 wrong usage; 75 try again. This module does not know the API server.
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from windlass.operators.errors import DataError, TrainingError
from windlass.operators.training.checkpoints import Checkpoint, Identity, load_newest, save
from windlass.operators.training.config import TrainerConfig, parse_config
from windlass.operators.training.exitcodes import FAILED, TRY_AGAIN
from windlass.operators.training.export import Trained, as_npz, as_onnx
from windlass.operators.training.files import canonical_json, replace_file, sha256_of
from windlass.operators.training.learner import Arrays, Task, accuracy
from windlass.operators.training.runfolder import Progress, RunFolder
from windlass.operators.training.split import held_out
from windlass.operators.training.table import Rows, read_rows

__all__ = ("main", "train")

_LOCK_SECONDS: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
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
            return _run(folder, attempt=given.attempt)
    except TrainingError as error:
        print(error, file=sys.stderr)  # noqa: T201  (the supervisor reads it)
        return TRY_AGAIN if error.retryable else FAILED


def _run(folder: RunFolder, *, attempt: int) -> int:
    folder.mark_begun(attempt)
    config = parse_config(folder.config.read_bytes())
    if folder.result() is not None:
        return 0
    try:
        train(folder, config)
    except TrainingError as error:
        if not error.retryable:
            replace_file(folder.path / "failure.json", canonical_json({"reason": error.reason, "message": str(error)}))
        raise
    return 0


def train(folder: RunFolder, config: TrainerConfig) -> None:
    """Train to the end and write the model. The caller holds the run's lock."""
    started = time.monotonic()
    rows = _training_rows(folder, config)
    learner = config.settings
    task = Task.of(rows.features, rows.labels)
    steps = -(-len(task.targets) // learner.batch_size)
    identity = Identity(config.run, config.data.files_sha256, sha256_of(folder.config.read_bytes()))
    state, done = _resume(folder, learner.initial(task, seed=config.seed), identity)
    for epoch in range(done.epoch + 1, learner.epochs + 1):
        state, loss = learner.train_epoch(state, task, seed=config.seed, epoch=epoch)
        right = accuracy(learner.layers(state), task)
        done = Checkpoint(
            folder.checkpoints / f"{epoch * steps:010d}", step=epoch * steps, epoch=epoch, loss=loss, accuracy=right
        )
        save(done, state, identity)
        _report(folder, _progress(done, config))
    model = Trained(learner.layers(state), task.classes, task.scale)
    replace_file(folder.path / "model.npz", as_npz(model))
    exported = as_onnx(model)
    replace_file(folder.model, exported)
    result = {
        "run": config.run,
        "modelSha256": sha256_of(exported),
        "classes": [int(label) for label in task.classes],
        "seconds": round(time.monotonic() - started, 3),
        **attrs.asdict(_progress(done, config)),
    }
    replace_file(folder.path / "result.json", canonical_json(result))


def _training_rows(folder: RunFolder, config: TrainerConfig) -> Rows:
    rows = read_rows(config.data)
    mask = held_out(rows.ids, seed=config.seed, share=config.holdout)
    if bool(mask.all()) or not bool(mask.any()):
        raise DataError(
            f"{len(rows.ids)} rows split with validation.holdout {config.holdout:g} leave {int(mask.sum())} held out "
            f"and {int((~mask).sum())} to train on; both sides need at least one",
            reason="DataUnsuitable",
        )
    split = {"seed": config.seed, "holdout": config.holdout, "heldOut": [int(row) for row in rows.ids[mask]]}
    replace_file(folder.split, canonical_json(split))
    return rows.take(~mask)


def _resume(folder: RunFolder, initial: Arrays, identity: Identity) -> tuple[Arrays, Checkpoint]:
    found, skipped = load_newest(folder.checkpoints, identity)
    for entry in skipped:
        print(f"checkpoint {entry.folder.name} is not used: {entry.why}", file=sys.stderr)  # noqa: T201
    if found is None:
        return initial, Checkpoint(folder.checkpoints, step=0, epoch=0, loss=0.0, accuracy=0.0)
    checkpoint, arrays = found
    return arrays, checkpoint


def _progress(done: Checkpoint, config: TrainerConfig) -> Progress:
    return Progress(done.epoch, config.settings.epochs, done.step, round(done.loss, 6), round(done.accuracy, 6))


def _report(folder: RunFolder, progress: Progress) -> None:
    line = json.dumps(attrs.asdict(progress))
    with folder.progress_log.open("a") as file:
        file.write(line + "\n")
    # Nobody listening is no reason to stop: the watcher below decides about that.
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)  # noqa: T201  (the supervisor reads it)


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


if __name__ == "__main__":
    sys.exit(main())
