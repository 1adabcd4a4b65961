"""What a check may look at: one model, the rows it is judged on, and whatever it is compared with, each with a digest.

What is None is not there, and a check that needs it cannot answer. This module does not know where models and rows
come from.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.trials import ClusterTrials, TrialRunner
from windlass.operators.training.network import Matrix

__all__ = (
    "CLASSIFIER",
    "NO_INCUMBENT",
    "Classifier",
    "InputGradient",
    "Labels",
    "NoIncumbent",
    "Sample",
    "Subject",
    "present",
)

Labels = npt.NDArray[np.int64]

InputGradient = Callable[[Matrix, Labels], Matrix]
"""The gradient of each row's cross-entropy by its features: N by F features and N class indexes give N by F."""


@attrs.frozen(eq=False)
class Sample:
    """N rows: `features` N by F numbers as the table holds them, `labels` N integers."""

    features: Matrix
    labels: Labels

    def digest(self) -> str:
        """SHA-256 over shape and values; equal rows in equal order have equal digests."""
        hashed = hashlib.sha256()
        for array in (np.ascontiguousarray(self.features, "<f8"), np.ascontiguousarray(self.labels, "<i8")):
            hashed.update(str(array.shape).encode())
            hashed.update(array.tobytes())
        return hashed.hexdigest()

    def __len__(self) -> int:
        return len(self.labels)


@attrs.frozen(eq=False)
class Classifier:
    """A model as the file with this digest computes it.

    `probabilities` maps N by F features to N by K probabilities, whose columns stand for `classes`. `gradient` is
    there if the model can be looked into; without it, it is a black box.
    """

    digest: str
    classes: Labels
    probabilities: Callable[[Matrix], Matrix]
    gradient: InputGradient | None = None

    def targets(self, labels: Labels) -> Labels:
        """The index of each label in `classes`, and -1 for one that the model does not know."""
        order = np.argsort(self.classes, kind="stable")
        found = np.searchsorted(self.classes[order], labels).clip(max=len(order) - 1)
        known = self.classes[order][found] == labels
        return np.where(known, order[found], -1).astype(np.int64)

    def answers(self, features: Matrix) -> Matrix:
        """The probabilities. Raises CheckError unless there is a finite number for each row and class."""
        found = np.asarray(self.probabilities(features), dtype=np.float64)
        wanted = (len(features), len(self.classes))
        if found.shape != wanted:
            raise CheckError(
                f"expected probabilities of the shape {wanted}, found {found.shape}", reason="AnswerMalformed"
            )
        if not bool(np.isfinite(found).all()):
            raise CheckError("the model answers with probabilities that are not numbers", reason="AnswerNotFinite")
        return found

    def right(self, sample: Sample) -> npt.NDArray[np.bool_]:
        """For each row, whether the most probable class is the label."""
        return np.asarray(self.answers(sample.features).argmax(axis=1) == self.targets(sample.labels))


@attrs.frozen
class NoIncumbent:
    """It is known that no model is in production; unlike None, which is not knowing."""


NO_INCUMBENT: Final = NoIncumbent()
CLASSIFIER: Final = "classifier"


@attrs.frozen(eq=False, kw_only=True)
class Subject:
    """The model and what there is to judge it by.

    `evaluation` are the held-out rows, `training` those that it was trained on, `recent` those that production sees.
    `kind` is what is judged: `classifier`, or the format of a model that gives no probabilities for rows of numbers.
    `hyperparameters` are those it was trained with, `trials` trains again with others on this machine, `cluster` in the
    job's.
    """

    model: Classifier
    evaluation: Sample | None
    training: Sample | None = None
    recent: Sample | None = None
    incumbent: Classifier | NoIncumbent | None = None
    hyperparameters: Mapping[str, float] = attrs.field(factory=dict)
    trials: TrialRunner | None = None
    cluster: ClusterTrials | None = None
    seed: int = 0
    kind: str = CLASSIFIER

    def inputs(self) -> dict[str, str]:
        """The digest of everything that is there, by name."""
        samples = {"evaluation": self.evaluation, "training": self.training, "recent": self.recent}
        digests = {name: sample.digest() for name, sample in samples.items() if sample is not None}
        if isinstance(self.incumbent, Classifier):
            digests["incumbent"] = self.incumbent.digest
        return {"model": self.model.digest, **digests}


def present(sample: Sample | None, what: str, *, rows_min: int = 1) -> Sample:
    """The sample, which has so many rows and only finite numbers. Raises CheckError with the reason DataMissing."""
    found = 0 if sample is None else len(sample)
    if sample is None or found < rows_min:
        raise CheckError(f"expected at least {rows_min} {what} rows, found {found}", reason="DataMissing")
    if len(sample.features) != found or sample.features.ndim != 2:
        raise CheckError(
            f"expected {found} rows of {what} features, found an array of the shape {sample.features.shape}",
            reason="DataMalformed",
        )
    if not bool(np.isfinite(sample.features).all()):
        raise CheckError(f"the {what} rows hold values that are not finite numbers", reason="DataNotFinite")
    return sample
