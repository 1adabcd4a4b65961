"""What a published job leaves for later: its records, and the card made of them; doing it again changes nothing.

Every time that is recorded is one of the job's status or of its run's own files, so a controller that was killed in
between records the same. This module does not know when a job is published.
"""

import math
from pathlib import Path

import attrs
import numpy as np

from windlass.operators.errors import MetadataError
from windlass.operators.training.card.folder import write_card
from windlass.operators.training.files import decode_object
from windlass.operators.training.gate.subject import Classifier, Sample, Subject
from windlass.operators.training.metadata.recording import (
    Confusion,
    ModelFacts,
    RunFacts,
    TrainingFacts,
    model_id,
    records_of,
)
from windlass.operators.training.metadata.store import MetadataStore
from windlass.operators.training.runfolder import Progress, RunFolder, TrainingResult
from windlass.operators.training.types import TrainingJob, ValidationStatus

__all__ = ("Archive", "Ended", "confusion_of", "curve_of", "facts_of")


@attrs.frozen
class Ended:
    """A run whose model is published: what its folder says, and the model with the rows that it was judged on."""

    folder: RunFolder
    result: TrainingResult
    subject: Subject


@attrs.frozen
class Archive:
    """The store of metadata and the folder of the cards."""

    store: MetadataStore
    cards: Path

    def keep(self, job: TrainingJob, ended: Ended) -> str:
        """Record the run and write its model's card; returns the URI of the page. Blocks.

        Raises MetadataError, always worth another try: to fail for good would deny a model that is published.
        """
        try:
            facts = facts_of(job, ended)
            self.store.record(records_of(facts))
            page = write_card(self.store, model_id(facts.run.id, facts.model.sha256), self.cards)
        except MetadataError as error:
            error.retryable = True
            raise
        return page.resolve().as_uri()


def facts_of(job: TrainingJob, ended: Ended) -> TrainingFacts:
    """Everything that is known about the run. Raises MetadataError for a job without run, data, validation or model."""
    status = job.status
    if status.run is None or status.data is None or status.validation is None or status.model is None:
        raise MetadataError(f"{job.key} has no run, data, validation or model on record", reason="StateCorrupt")
    subject, published = ended.subject, status.model
    return TrainingFacts(
        namespace=job.metadata.namespace or "",
        job=job.metadata.name,
        uid=job.metadata.uid,
        data=status.data,
        run=RunFacts(
            id=status.run.id,
            executor=status.run.executor,
            attempt=status.run.attempt,
            seed=job.spec.seed,
            hyperparameters={**job.spec.hyperparameters, **subject.hyperparameters},
            started_at=status.run.started_at,
            finished_at=status.run.finished_at,
            resumed_from_step=status.run.resumed_from_step,
            seconds=ended.result.seconds,
        ),
        model=ModelFacts(
            name=published.name,
            version=published.version,
            sha256=published.sha256,
            uri=published.uri,
            classes=tuple(str(label) for label in ended.result.classes),
            format=ended.result.format,
        ),
        accuracy=status.validation.accuracy,
        figures=_figures(status.validation),
        holdout=job.spec.validation.holdout,
        rows=status.validation.rows,
        curve=curve_of(ended.folder),
        confusion=None if subject.evaluation is None else confusion_of(subject.model, subject.evaluation),
        gate=status.gate,
        told=job.spec.card,
    )


def _figures(validation: ValidationStatus) -> dict[str, float]:
    """What a language model is judged by beside the accuracy of its tokens."""
    found: dict[str, float] = {}
    if validation.loss is not None:
        found |= {"loss": validation.loss, "perplexity": round(math.exp(min(validation.loss, 700.0)), 6)}
    if validation.exact_match is not None:
        found["exact match"] = validation.exact_match
    return found


def curve_of(folder: RunFolder) -> tuple[tuple[int, float, float], ...]:
    """Epoch, loss and accuracy of each epoch, from the run's log; an epoch that was told twice counts once."""
    try:
        lines = folder.progress_log.read_bytes().splitlines()
    except OSError:
        return ()
    told = (Progress.parse(decode_object(line)) for line in lines)
    points = {one.epoch: (one.epoch, one.loss, one.accuracy) for one in told if one is not None}
    return tuple(points[epoch] for epoch in sorted(points))


def confusion_of(model: Classifier, sample: Sample) -> Confusion:
    """How the model's answers go with the labels; a label that the model does not know has no row."""
    size = len(model.classes)
    targets, guesses = model.targets(sample.labels), model.answers(sample.features).argmax(axis=1)
    known = targets >= 0
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (targets[known], guesses[known]), 1)
    labels = tuple(str(label) for label in model.classes)
    return Confusion(labels, tuple(tuple(int(one) for one in row) for row in counts))
