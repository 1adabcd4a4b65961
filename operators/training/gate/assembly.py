"""What a run left behind becomes what checks look at: its model, both sides of its split, and the model in production.

What cannot be read for certain is None, which a check that needs it takes for the doubt it is. This module does not
know which checks there are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from windlass.operators.errors import CheckError, TrainingError
from windlass.operators.training.apart import read_rows_apart
from windlass.operators.training.config import parse_config
from windlass.operators.training.gate.classifiers import onnx_classifier
from windlass.operators.training.gate.local import LocalTrials, objective_of
from windlass.operators.training.gate.subject import NO_INCUMBENT, Classifier, NoIncumbent, Sample, Subject
from windlass.operators.training.gate.trials import TrialRunner
from windlass.operators.training.learner import Learner, hyperparameters_of
from windlass.operators.training.learners import LEARNERS
from windlass.operators.training.network import Matrix
from windlass.operators.training.runfolder import ONNX
from windlass.operators.training.split import held_out
from windlass.operators.training.table import Rows
from windlass.operators.training.types import TrainingJobSpec
from windlass.operators.training.validation import Subject as Trained
from windlass.operators.training.validation import model_content
from windlass.serving.errors import ServingError
from windlass.serving.repository.description import read_description, read_verified

__all__ = ("Judged", "incumbent_of", "planned_hyperparameters", "subject_of")


@attrs.frozen(kw_only=True)
class Judged:
    """A run to be judged: what it trained, by which executor, and the folder of the model's published versions."""

    trained: Trained
    classes: tuple[int, ...]
    executor: str
    hyperparameters: Mapping[str, Any]
    published: Path
    format: str = ONNX


def subject_of(judged: Judged) -> Subject:
    """What the checks look at. Blocks: it reads the data again.

    Raises DataError and EvaluationError as the evaluation does, and CheckError for a model that does not load.
    """
    trained = judged.trained
    if judged.format != ONNX:
        return _unseen(judged)
    rows = read_rows_apart(trained.data)
    mask = held_out(rows.ids, seed=trained.seed, share=trained.holdout)
    evaluation, training = _sample(rows.take(mask)), _sample(rows.take(~mask))
    learner = _learner(judged)
    trials: TrialRunner | None = None
    if learner is not None:
        trials = LocalTrials(objective_of(learner, training, evaluation, seed=trained.seed))
    return Subject(
        model=onnx_classifier(model_content(trained), judged.classes),
        evaluation=evaluation,
        training=training,
        incumbent=incumbent_of(judged.published),
        hyperparameters=_numbers(judged.hyperparameters) if learner is None else hyperparameters_of(learner),
        trials=trials,
        seed=trained.seed,
    )


def planned_hyperparameters(executor: object, spec: TrainingJobSpec) -> dict[str, float]:
    """The hyperparameters by which checks will judge what this executor trains, before it does."""
    learner = getattr(executor, "learner", None)
    return _numbers(spec.hyperparameters) if learner is None else hyperparameters_of(learner(spec))


def _unseen(judged: Judged) -> Subject:
    """A model that only its own trainer can load: there is its digest, and nothing that a check could put to it."""

    def refuse(_: Matrix) -> Matrix:
        raise CheckError(f"a model of the format {judged.format} gives no probabilities", reason="NotApplicable")

    model = Classifier(judged.trained.model_sha256, np.zeros(0, dtype=np.int64), refuse)
    return Subject(
        model=model,
        evaluation=None,
        hyperparameters=_numbers(judged.hyperparameters),
        seed=judged.trained.seed,
        kind=judged.format,
    )


def incumbent_of(published: Path) -> Classifier | NoIncumbent | None:
    """The newest published version; NO_INCUMBENT if there certainly is none, None if that cannot be told. Blocks."""
    try:
        versions = [int(entry.name) for entry in published.iterdir() if entry.name.isdecimal()]
    except FileNotFoundError:
        return NO_INCUMBENT
    except OSError:
        return None
    if not versions:
        return NO_INCUMBENT
    newest = published / str(max(versions))
    try:
        described = read_description(newest)
        return onnx_classifier(read_verified(newest, described), [int(label) for label in described.labels])
    except (ServingError, CheckError, OSError, ValueError):
        return None


def _sample(rows: Rows) -> Sample:
    return Sample(rows.features, rows.labels)


def _learner(judged: Judged) -> Learner | None:
    """What the trainer of ours was told to be; None for another one, which nothing here can repeat."""
    if judged.executor not in LEARNERS:
        return None
    try:
        return parse_config(judged.trained.folder.config.read_bytes()).settings
    except (OSError, TrainingError):
        return None


def _numbers(given: Mapping[str, Any]) -> dict[str, float]:
    return {key: one for key, one in given.items() if isinstance(one, int | float) and not isinstance(one, bool)}
