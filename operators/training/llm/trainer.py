"""The program that tunes resumes after the newest complete checkpoint, judges its product, and writes its result last.

    python -m windlass.operators.training.llm.trainer RUN_FOLDER --attempt N --parent PID

See `program` for what every training program promises. The base is pinned by its digest in `base.json` at the first
attempt. The held-out examples are put to the bundle as it was written, not to what is in memory. This module does not
know the API server.
"""

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from windlass.operators.errors import TrainingError
from windlass.operators.training.checkpoints import Checkpoint, Identity, load_newest, save
from windlass.operators.training.files import canonical_json, read_json, replace_file, sha256_of
from windlass.operators.training.learner import batches
from windlass.operators.training.llm.base import base_sha256, family_of, open_model, open_tokenizer
from windlass.operators.training.llm.config import TuningConfig, parse_tuning
from windlass.operators.training.llm.encoding import Encoded, Encoder
from windlass.operators.training.llm.family import family_registry
from windlass.operators.training.llm.product import open_product, write_product
from windlass.operators.training.llm.texts import read_examples
from windlass.operators.training.llm.tuning import Seen, Tuning, look
from windlass.operators.training.program import report, report_skipped, run_program, split_rows
from windlass.operators.training.runfolder import Progress, RunFolder

__all__ = ("main", "tune")

_BASE: Final = "base.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return run_program(lambda folder: tune(folder, parse_tuning(folder.config.read_bytes())), arguments)


def tune(folder: RunFolder, config: TuningConfig) -> None:
    """Tune to the end and write the bundle. The caller holds the run's lock."""
    started = time.monotonic()
    base = Path(config.model)
    family = family_of(base, family_registry())
    digest = _pin_base(folder, base)
    found = read_examples(config.data)
    out = split_rows(folder, found.ids, seed=config.seed, holdout=config.holdout)
    tokenizer = open_tokenizer(base)
    encoder = Encoder(tokenizer, family, length_max=config.settings.max_length)
    training, evaluation = encoder.encode(found.take(~out)), encoder.encode(found.take(out))
    tuning = Tuning(open_model(base), family, config.settings, seed=config.seed)
    done = _teach(tuning, training, folder, config)
    written = write_product(tuning, tokenizer, base=config.model, merge=config.merge, folder=folder.bundle)
    seen = look(open_product(folder.bundle, base), evaluation, batch_size=config.settings.batch_size)
    result = {
        "run": config.run,
        "format": "peft",
        "modelSha256": written,
        "baseSha256": digest,
        "heldOut": _held_out(seen, paired=any(one.prompt is not None for one in found.examples)),
        "cutExamples": encoder.cut,
        "seconds": round(time.monotonic() - started, 3),
        **attrs.asdict(_progress(done, config)),
    }
    replace_file(folder.path / "result.json", canonical_json(result))


def _pin_base(folder: RunFolder, base: Path) -> str:
    digest = base_sha256(base)
    pinned = (read_json(folder.path / _BASE) or {}).get("sha256")
    if pinned is None:
        replace_file(folder.path / _BASE, canonical_json({"path": str(base), "sha256": digest}))
    elif pinned != digest:
        raise TrainingError(
            f"hyperparameters.model {base}: expected the model with the digest {pinned} that this run began with, "
            f"found {digest}",
            reason="BaseModelChanged",
        )
    return digest


def _teach(tuning: Tuning, examples: Sequence[Encoded], folder: RunFolder, config: TuningConfig) -> Checkpoint:
    """Every step that is not behind a checkpoint yet."""
    settings = config.settings
    identity = Identity(config.run, config.data.files_sha256, sha256_of(folder.config.read_bytes()))
    done = _resume(tuning, folder, identity)
    steps = -(-len(examples) // settings.batch_size)
    seen = Seen()
    for epoch in range(done.step // steps + 1, settings.epochs + 1):
        first = (epoch - 1) * steps + 1
        drawn = batches(len(examples), settings.batch_size, seed=config.seed, epoch=epoch)
        for number, rows in enumerate(drawn, start=first):
            if number <= done.step:
                continue
            seen += tuning.step([examples[row] for row in rows], number)
            if number % settings.checkpoint_steps and number % steps:
                continue
            loss, right = seen.loss / seen.tokens, seen.right / seen.tokens
            place = folder.checkpoints / f"{number:010d}"
            done = Checkpoint(place, step=number, epoch=number // steps, loss=loss, accuracy=right)
            save(done, tuning.arrays(), identity)
            report(folder, _progress(done, config))
            seen = Seen()
    return done


def _resume(tuning: Tuning, folder: RunFolder, identity: Identity) -> Checkpoint:
    found, skipped = load_newest(folder.checkpoints, identity)
    report_skipped(skipped)
    if found is None:
        return Checkpoint(folder.checkpoints, step=0, epoch=0, loss=0.0, accuracy=0.0)
    checkpoint, arrays = found
    tuning.restore(arrays, step=checkpoint.step)
    return checkpoint


def _held_out(seen: Seen, *, paired: bool) -> dict[str, float]:
    """What the held-out examples say; how many were answered exactly only where there are prompts."""
    loss = seen.loss / seen.tokens
    found = {"rows": seen.examples, "tokens": seen.tokens, "accuracy": seen.right / seen.tokens, "loss": loss}
    if not np.isfinite(loss):
        raise TrainingError(f"the loss on the held-out examples is {loss}", reason="EvaluationFailed")
    found |= {"perplexity": math.exp(min(loss, 700.0))}
    return found | ({"exactMatch": seen.exact / seen.examples} if paired else {})


def _progress(done: Checkpoint, config: TuningConfig) -> Progress:
    return Progress(done.epoch, config.settings.epochs, done.step, round(done.loss, 6), round(done.accuracy, 6))


if __name__ == "__main__":
    sys.exit(main())
