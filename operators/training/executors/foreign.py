"""A trainer of somebody else's finds all it is told in the run's folder, and is heard only there, by its own token.

`config.json` says what to train, `split.json` which rows are to be held out, `attempt` who may commit; all that is
there before it is started. What another attempt wrote says nothing about this one (A11). This module does not know how
the trainer is started.
"""

import json

import attrs

from windlass.operators.errors import DataError
from windlass.operators.training.apart import read_rows_apart
from windlass.operators.training.checkpoints import Identity
from windlass.operators.training.executors.contract import Broken, Done, Fault, Observation, Run
from windlass.operators.training.files import canonical_json, replace_file, sha256_of
from windlass.operators.training.runfolder import Failure, Progress, RunFolder, TrainingResult
from windlass.operators.training.split import held_out

__all__ = ("Left", "left_in", "prepare", "recorded")


@attrs.frozen
class Left:
    """What the run's folder says of one attempt: its last word, whether it began, and where another would go on.

    `fault` is what is wrong with a result that is there and was not taken for its word.
    """

    record: TrainingResult | Failure | None = None
    begun: bool = False
    step: int = 0
    progress: Progress | None = None
    fault: str = ""

    @property
    def without_result(self) -> str:
        """In words, how an attempt ended that was to leave a result."""
        if not self.fault:
            return "without writing a result"
        return f"with a result.json that is not readable: {self.fault}"


def prepare(folder: RunFolder, run: Run, config: bytes) -> None:
    """Make the folder ready for this attempt; from then on no other may commit (A10). Blocks. Raises DataError."""
    folder.prepare(config)
    folder.fence(run.op_id)
    if not folder.split.exists():
        told = json.loads(config)
        replace_file(folder.split, _split(run, seed=told["seed"], holdout=told["holdout"]))


def _split(run: Run, *, seed: int, holdout: float) -> bytes:
    rows = read_rows_apart(run.data)
    mask = held_out(rows.ids, seed=seed, share=holdout)
    if bool(mask.all()) or not bool(mask.any()):
        raise DataError(
            f"{len(rows.ids)} rows split with validation.holdout {holdout:g} leave {int(mask.sum())} held out "
            f"and {int((~mask).sum())} to train on; both sides need at least one",
            reason="DataUnsuitable",
        )
    return canonical_json({"seed": seed, "holdout": holdout, "heldOut": [int(row) for row in rows.ids[mask]]})


def recorded(record: TrainingResult | Failure) -> Observation:
    """The run's last word as an observation."""
    return Done(record) if isinstance(record, TrainingResult) else Broken(Fault(record.reason, record.message))


def left_in(folder: RunFolder, run: Run, *, over: bool) -> Left:
    """What the folder says of this attempt and of no other; the step only if it is `over`. Blocks."""
    record = folder.result() or folder.failure()
    fault = folder.result_fault() if over and record is None else ""
    if record is not None and record.attempt != run.op_id:
        fault = f"attempt: expected {run.op_id}, found {record.attempt!r}"
        record = None  # (A11)
    if isinstance(record, TrainingResult) and record.run != run.id:
        fault = f"run: expected {run.id}, found {record.run!r}"
        record = None
    step = 0
    if over and record is None and folder.config.exists():  # digests of large checkpoints take their time
        identity = Identity(run.id, run.data.files_sha256, sha256_of(folder.config.read_bytes()))
        newest = folder.newest_checkpoint(identity)
        step = 0 if newest is None else newest.step
    return Left(record, folder.begun(run.attempt), step, folder.last_progress(run.op_id), fault)
