"""The trainer of the small learners resumes after the newest complete checkpoint and writes its result last.

    python -m windlass.operators.training.trainer RUN_FOLDER --attempt N --parent PID

It reads `config.json` in the folder and prints a JSON line for each epoch; see `program` for what every training
program promises. This module does not know how a learner learns.
"""

import sys
import time
from collections.abc import Sequence

import attrs

from windlass.operators.training.checkpoints import Checkpoint, Identity, load_newest, save
from windlass.operators.training.config import TrainerConfig, parse_config
from windlass.operators.training.export import Trained, as_npz, as_onnx
from windlass.operators.training.files import canonical_json, replace_file, sha256_of
from windlass.operators.training.learner import Arrays, Task, accuracy
from windlass.operators.training.program import report, report_skipped, run_program, split_rows
from windlass.operators.training.runfolder import Progress, RunFolder
from windlass.operators.training.table import Rows, read_rows

__all__ = ("main", "train")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return run_program(lambda folder: train(folder, parse_config(folder.config.read_bytes())), arguments)


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
        report(folder, _progress(done, config))
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
    return rows.take(~split_rows(folder, rows.ids, seed=config.seed, holdout=config.holdout))


def _resume(folder: RunFolder, initial: Arrays, identity: Identity) -> tuple[Arrays, Checkpoint]:
    found, skipped = load_newest(folder.checkpoints, identity)
    report_skipped(skipped)
    if found is None:
        return initial, Checkpoint(folder.checkpoints, step=0, epoch=0, loss=0.0, accuracy=0.0)
    checkpoint, arrays = found
    return arrays, checkpoint


def _progress(done: Checkpoint, config: TrainerConfig) -> Progress:
    return Progress(done.epoch, config.settings.epochs, done.step, round(done.loss, 6), round(done.accuracy, 6))


if __name__ == "__main__":
    sys.exit(main())
