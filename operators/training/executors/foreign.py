"""A trainer of somebody else's finds all it is told in the run's folder before it is started, and the same each time.

`config.json` says what to train, `split.json` which rows are to be held out, `attempt` who may commit. Everything here
blocks: call it in a thread. This module does not know how the trainer is started.
"""

import json

from windlass.operators.errors import DataError
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.files import canonical_json, replace_file
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.split import held_out
from windlass.operators.training.table import read_rows

__all__ = ("prepare",)


def prepare(folder: RunFolder, run: Run, config: bytes) -> None:
    """Make the folder ready for this attempt; from then on no other may commit (A10). Raises DataError."""
    folder.prepare(config)
    folder.fence(run.op_id)
    if not folder.split.exists():
        told = json.loads(config)
        replace_file(folder.split, _split(run, seed=told["seed"], holdout=told["holdout"]))


def _split(run: Run, *, seed: int, holdout: float) -> bytes:
    rows = read_rows(run.data)
    mask = held_out(rows.ids, seed=seed, share=holdout)
    if bool(mask.all()) or not bool(mask.any()):
        raise DataError(
            f"{len(rows.ids)} rows split with validation.holdout {holdout:g} leave {int(mask.sum())} held out "
            f"and {int((~mask).sum())} to train on; both sides need at least one",
            reason="DataUnsuitable",
        )
    return canonical_json({"seed": seed, "holdout": holdout, "heldOut": [int(row) for row in rows.ids[mask]]})
