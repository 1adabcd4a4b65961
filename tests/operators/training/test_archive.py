"""A published run is recorded and has its card once, however often that is done and wherever it was broken off."""

from datetime import UTC, datetime

import attrs
import numpy as np
import pytest
from training_jobs import new_job

from windlass.operators.errors import MetadataError
from windlass.operators.training import archive as module
from windlass.operators.training.archive import Archive, Ended, confusion_of, curve_of, facts_of
from windlass.operators.training.gate.assembly import Judged, subject_of
from windlass.operators.training.gate.subject import Classifier, Sample
from windlass.operators.training.metadata.recording import Confusion, Descriptions
from windlass.operators.training.metadata.store import MetadataStore
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.trainer import train
from windlass.operators.training.types import ModelStatus, RunStatus, TrainingJobStatus, ValidationStatus
from windlass.operators.training.validation import Subject

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def ended(lab):
    config = lab.config()
    folder = lab.folder(config)
    train(folder, config)
    result = folder.result()
    trained = Subject(folder, result.model_sha256, config.data, seed=config.seed, holdout=config.holdout)
    subject = subject_of(
        Judged(
            trained=trained, classes=result.classes, executor="softmax", hyperparameters={}, published=lab.path / "m"
        )
    )
    return Ended(folder, result, subject)


@pytest.fixture
def job(lab, ended):
    status = TrainingJobStatus(
        data=lab.record(lab.path / "table"),
        run=RunStatus("run1", 1, "softmax", "op", 1, 0, START, finished_at=START),
        validation=ValidationStatus(0.9, 60, passed=True),
        model=ModelStatus("m", 1, ended.result.model_sha256, "file:///m/1"),
    )
    job = new_job()
    return attrs.evolve(job, status=status, spec=attrs.evolve(job.spec, card=Descriptions(license="mit")))


@pytest.fixture
def archive(lab):
    return Archive(MetadataStore(lab.path / "m.sqlite"), lab.path / "cards")


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_facts_are_those_of_status_and_folder(job, ended):
    facts = facts_of(job, ended)

    assert [point[0] for point in facts.curve] == [1, 2, 3, 4, 5, 6]
    assert sum(sum(row) for row in facts.confusion.counts) == len(ended.subject.evaluation)
    assert facts.run.hyperparameters["epochs"] == 6, "what the trainer was told, defaults included"
    assert (facts.run.started_at, facts.run.seconds) == (START, ended.result.seconds)
    assert facts.told.license == "mit"


def test_keeping_again_changes_nothing(archive, job, ended, lab):
    """A13: once for a model and its data, byte-identical."""
    page = archive.keep(job, ended)
    before = files(lab.path / "cards")

    assert archive.keep(job, ended) == page
    assert files(lab.path / "cards") == before
    assert page.endswith("/README.md")
    assert b"license: mit" in before[next(name for name in before if name.endswith("README.md"))]


def test_what_was_broken_off_between_record_and_card_is_completed(archive, job, ended, lab, monkeypatch):
    """G1."""

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_card", kill)
        with pytest.raises(Killed):
            archive.keep(job, ended)

    archive.keep(job, ended)

    assert len(archive.store.artifacts(type_="Model")) == 1
    assert len(files(lab.path / "cards")) == 3


@pytest.mark.parametrize("spoil", ["no folder", "no database", "a contradiction"])
def test_whatever_goes_wrong_is_worth_another_try_because_the_model_is_published(archive, job, ended, lab, spoil):
    if spoil == "no folder":
        (lab.path / "cards").write_text("in the way")
    elif spoil == "no database":
        (lab.path / "m.sqlite").write_text("something else" * 100)
    else:
        archive.keep(job, ended)
        job = attrs.evolve(job, status=attrs.evolve(job.status, run=attrs.evolve(job.status.run, attempt=2)))

    with pytest.raises(MetadataError) as caught:
        archive.keep(job, ended)

    assert caught.value.retryable


@pytest.mark.parametrize("field", ["run", "data", "validation", "model"])
def test_a_status_with_a_gap_is_not_recorded(archive, job, ended, lab, field):
    with pytest.raises(MetadataError) as caught:
        archive.keep(attrs.evolve(job, status=attrs.evolve(job.status, **{field: None})), ended)

    assert caught.value.reason == "StateCorrupt"
    assert not (lab.path / "m.sqlite").exists()


def test_an_epoch_that_was_told_twice_counts_once_and_a_torn_line_not_at_all(tmp_path):
    lines = [
        '{"epoch": 1, "epochs": 3, "step": 1, "loss": 0.5, "accuracy": 0.6}',
        '{"epoch": 2, "epochs": 3, "step": 2, "loss": 0.4, "accuracy": 0.7}',
        '{"epoch": 2, "epochs": 3, "step": 2, "loss": 0.4, "accuracy": 0.7}',
        '{"epoch": 3, "epo',
    ]
    (tmp_path / "progress.jsonl").write_text("\n".join(lines))

    assert curve_of(RunFolder(tmp_path)) == ((1, 0.5, 0.6), (2, 0.4, 0.7))
    assert curve_of(RunFolder(tmp_path / "nowhere")) == ()


def test_rows_of_the_matrix_are_labels_and_columns_answers():
    answers = np.eye(2)[[0, 1, 1, 0]]
    model = Classifier("a" * 64, np.array([3, 7]), lambda features: answers)

    found = confusion_of(model, Sample(np.zeros((4, 1)), np.array([3, 3, 7, 99])))

    assert found == Confusion(("3", "7"), ((1, 1), (0, 1)))
