"""What is judged is the exported model itself, run as it will be run, on exactly the held-out rows.

No verdict without numbers: no rows, a wrong digest, another split or an odd answer is an error, never a pass (B1).
A model that is more than one file was put to these rows by the program that trained it, which can load it; what it
found is taken only for the split and the bundle that are there. This module does not know what is good enough.
"""

import math

import attrs
import numpy as np

from windlass.operators.errors import EvaluationError
from windlass.operators.training.apart import read_rows_apart
from windlass.operators.training.bundle import bundle_sha256, files_of
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.files import read_json, sha256_of
from windlass.operators.training.runfolder import HeldOut, RunFolder
from windlass.operators.training.split import held_out
from windlass.operators.training.table import Rows
from windlass.serving.errors import ServingError
from windlass.serving.model import Model
from windlass.serving.runtimes.base import Source
from windlass.serving.runtimes.onnx import OnnxRuntime

__all__ = ("Evaluation", "Subject", "evaluate", "model_content", "told_evaluation")

_ROWS_AT_ONCE = 4096


@attrs.frozen
class Subject:
    """What to evaluate: the model of a run folder, with the data and the split that the run was told to use."""

    folder: RunFolder
    model_sha256: str
    data: DataRecord
    seed: int
    holdout: float


@attrs.frozen
class Evaluation:
    """The share of `rows` held-out rows that the model labels as the table does.

    For a language model it is the share of tokens; `loss` and `exact_match` are as in `HeldOut`, None for a classifier.
    """

    accuracy: float
    rows: int
    model_sha256: str
    loss: float | None = None
    exact_match: float | None = None


def evaluate(subject: Subject) -> Evaluation:
    """Run the exported model on the held-out rows. Blocks: call it in a thread.

    Raises EvaluationError, and DataError if the pinned version can no longer be read.
    """
    rows = _held_out_rows(subject)
    content = model_content(subject)
    try:
        source = Source("candidate", "1", subject.folder.model, content)
        model = OnnxRuntime().load(source)
        right = sum(_count_right(model, rows, first) for first in range(0, len(rows.ids), _ROWS_AT_ONCE))
    except ServingError as error:
        raise EvaluationError(f"the exported model does not load: {error}") from error
    return Evaluation(accuracy=right / len(rows.ids), rows=len(rows.ids), model_sha256=subject.model_sha256)


def told_evaluation(subject: Subject, told: HeldOut | None) -> Evaluation:
    """What the trainer found on the held-out rows. Blocks: every file of the bundle is read.

    Raises EvaluationError when it found nothing that counts, or when bundle or split are no longer what they were.
    """
    if told is None or told.rows < 1:
        raise EvaluationError("the trainer says nothing about the held-out rows")
    if not all(one is None or math.isfinite(one) for one in (told.accuracy, told.loss, told.exact_match)):
        raise EvaluationError("what the trainer says about the held-out rows is not a number")
    bundle = subject.folder.bundle
    if bundle_sha256(bundle) != subject.model_sha256 or files_of(bundle) is None:
        raise EvaluationError(f"{bundle.name} is no longer the bundle that training wrote")
    recorded = (read_json(subject.folder.split) or {}).get("heldOut")
    if not isinstance(recorded, list) or len(recorded) != told.rows:
        raise EvaluationError(f"{told.rows} rows were judged, and the split that was recorded is another one")
    return Evaluation(told.accuracy, told.rows, subject.model_sha256, told.loss, told.exact_match)


def _held_out_rows(subject: Subject) -> Rows:
    rows = read_rows_apart(subject.data)
    chosen = rows.take(held_out(rows.ids, seed=subject.seed, share=subject.holdout))
    recorded = (read_json(subject.folder.split) or {}).get("heldOut")
    if recorded != [int(row) for row in chosen.ids]:
        raise EvaluationError(
            "the rows that training recorded as held out are not those that the seed and the share give"
        )
    if not len(chosen.ids):
        raise EvaluationError("no rows are held out, so there is nothing to judge the model on")
    return chosen


def model_content(subject: Subject) -> bytes:
    """The bytes of the trained model, which are still those that training wrote. Raises EvaluationError."""
    try:
        content = subject.folder.model.read_bytes()
    except OSError as error:
        raise EvaluationError(f"the trained model cannot be read: {error}") from error
    if sha256_of(content) != subject.model_sha256:
        raise EvaluationError(f"{subject.folder.model.name} is no longer the file that training wrote")
    return content


def _count_right(model: Model, rows: Rows, first: int) -> int:
    part = slice(first, first + _ROWS_AT_ONCE)
    try:
        answer = model.predict({"x": rows.features[part].astype(np.float32)})
        labels, probabilities = answer["label"], answer["probabilities"]
    except Exception as error:
        # Whatever the runtime raises, the model is not fit to be published.
        raise EvaluationError(f"the exported model does not answer: {error}") from error
    if not bool(np.isfinite(probabilities).all()):
        raise EvaluationError("the exported model answers with probabilities that are not numbers")
    return int((labels == rows.labels[part]).sum())
