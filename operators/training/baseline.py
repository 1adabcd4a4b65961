"""What serves the sample before any job has trained: the nearest mean of each label's rows, as version 1 of its model.

It gives the gate something to compare with and a promotion something to take over from. It is an ordinary version of an
ordinary repository, and learns from the rows alone that the sample job trains on. Told again, it is there already.
"""

from pathlib import Path
from typing import Final

import numpy as np

from windlass.informers.typed import structure
from windlass.operators.training.dataversion import resolve
from windlass.operators.training.export import Trained, as_onnx
from windlass.operators.training.publish import Artefact, Published, publish
from windlass.operators.training.sample import sample_job
from windlass.operators.training.split import held_out
from windlass.operators.training.table import read_rows
from windlass.operators.training.types import TrainingJob

__all__ = ("BASELINE", "nearest_mean", "publish_baseline")

BASELINE: Final = "nearest-mean"
"""What stands in the place of a run's id."""


def nearest_mean(features: np.ndarray, labels: np.ndarray) -> Trained:
    """The linear model whose greatest output is the label with the nearest mean.

    |x - m|² is least where 2mx - |m|² is greatest. Features are told in units of the greatest of them.
    """
    classes, targets = np.unique(labels, return_inverse=True)
    scale = float(np.abs(features).max(initial=0.0)) or 1.0
    scaled = features / scale
    means = np.stack([scaled[targets == index].mean(axis=0) for index in range(len(classes))])
    return Trained.linear(2.0 * means.T, -(means**2).sum(axis=1), classes.astype(np.int64), scale)


def publish_baseline(models: Path, table: Path) -> Published | None:
    """Publish it as the first version of the sample job's model, unless that has versions already. Blocks.

    `table` is the sample's. Raises DataError and PublishError.
    """
    spec = structure(sample_job(table.as_uri()), TrainingJob).spec
    folder = models / spec.output.model
    if folder.exists() and any(entry.name.isdecimal() for entry in folder.iterdir()):
        return None
    rows = read_rows(resolve(table.as_uri(), 0))
    known = rows.take(~held_out(rows.ids, seed=spec.seed, share=spec.validation.holdout))
    model = nearest_mean(known.features, known.labels)
    labels = tuple(str(label) for label in model.classes)
    return publish(
        models, spec.output.model, Artefact(BASELINE, as_onnx(model), labels=labels, metadata={"trainer": BASELINE})
    )
