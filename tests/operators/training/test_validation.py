"""The exported file is judged, on the held-out rows, or there is no verdict (B1)."""

import json

import attrs
import numpy as np
import pytest

from windlass.operators.errors import DataError, EvaluationError
from windlass.operators.training.bundle import close_bundle
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.export import Trained, as_onnx
from windlass.operators.training.files import sha256_of
from windlass.operators.training.runfolder import HeldOut, RunFolder
from windlass.operators.training.split import held_out
from windlass.operators.training.table import read_rows
from windlass.operators.training.trainer import train
from windlass.operators.training.validation import Evaluation, Subject, evaluate, told_evaluation


def trained(lab):
    config = lab.config()
    folder = lab.folder(config)
    train(folder, config)
    return Subject(folder, folder.result().model_sha256, config.data, seed=config.seed, holdout=config.holdout)


def with_model(subject, content):
    subject.folder.model.write_bytes(content)
    return attrs.evolve(subject, model_sha256=sha256_of(content))


def test_accuracy_is_the_share_of_held_out_rows_that_the_file_labels_right(lab):
    subject = trained(lab)
    rows = read_rows(subject.data)
    rows = rows.take(held_out(rows.ids, seed=subject.seed, share=subject.holdout))
    with np.load(subject.folder.path / "model.npz") as weights:
        guesses = weights["classes"][
            (rows.features / weights["scale"] @ weights["weights"] + weights["bias"]).argmax(axis=1)
        ]

    found = evaluate(subject)

    assert len(rows.ids) == found.rows
    assert (guesses == rows.labels).mean() == pytest.approx(found.accuracy, abs=1.5 / found.rows)
    assert subject.model_sha256 == found.model_sha256
    assert found.accuracy > 0.8


def test_the_same_model_and_rows_give_the_same_verdict(lab):
    subject = trained(lab)

    assert evaluate(subject) == evaluate(subject)


def test_a_model_that_knows_one_answer_is_judged_by_its_answers(lab):
    one_answer = Trained.linear(np.zeros((4, 3)), np.array([0.0, 9.0, 0.0]), np.arange(3), 1.0)
    subject = with_model(trained(lab), as_onnx(one_answer))
    rows = read_rows(subject.data)
    rows = rows.take(held_out(rows.ids, seed=subject.seed, share=subject.holdout))

    assert (rows.labels == 1).mean() == evaluate(subject).accuracy


def test_another_file_than_the_one_trained_is_refused(lab):
    subject = trained(lab)
    subject.folder.model.write_bytes(b"other")

    with pytest.raises(EvaluationError, match="no longer the file that training wrote"):
        evaluate(subject)


def test_a_missing_file_is_refused(lab):
    subject = trained(lab)
    subject.folder.model.unlink()

    with pytest.raises(EvaluationError, match="cannot be read"):
        evaluate(subject)


def test_a_file_that_is_no_model_is_refused(lab):
    with pytest.raises(EvaluationError, match="does not load"):
        evaluate(with_model(trained(lab), b"not onnx"))


def test_a_model_for_other_inputs_is_refused(lab):
    with pytest.raises(EvaluationError, match="does not answer"):
        evaluate(with_model(trained(lab), as_onnx(Trained.linear(np.zeros((5, 3)), np.zeros(3), np.arange(3), 1.0))))


def test_probabilities_that_are_not_numbers_are_refused(lab):
    broken = as_onnx(Trained.linear(np.full((4, 3), np.nan), np.zeros(3), np.arange(3), 1.0))
    with pytest.raises(EvaluationError, match="not numbers"):
        evaluate(with_model(trained(lab), broken))


def test_a_split_other_than_the_recorded_one_is_refused(lab):
    subject = trained(lab)
    recorded = json.loads(subject.folder.split.read_text())
    subject.folder.split.write_text(json.dumps(recorded | {"heldOut": recorded["heldOut"][1:]}))

    with pytest.raises(EvaluationError, match="recorded as held out"):
        evaluate(subject)


def test_no_recorded_split_is_refused(lab):
    subject = trained(lab)
    subject.folder.split.unlink()

    with pytest.raises(EvaluationError, match="recorded as held out"):
        evaluate(subject)


def test_data_that_is_no_longer_what_was_pinned_keeps_its_own_reason(lab):
    subject = trained(lab)

    with pytest.raises(DataError) as caught:
        evaluate(attrs.evolve(subject, data=attrs.evolve(subject.data, files_sha256="0")))

    assert caught.value.reason == "DataFilesMissing"


TOLD = HeldOut(2, 9, 0.5, 1.25, 0.5)


@pytest.fixture
def tuned(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run" / ".made").mkdir(parents=True)
    (tmp_path / "run" / ".made" / "adapter").write_bytes(b"weights")
    digest = close_bundle(tmp_path / "run" / ".made", folder.bundle)
    folder.split.write_text(json.dumps({"heldOut": [3, 5]}))
    return Subject(folder, digest, DataRecord("/t", "id", 0, "d", 1, 10), seed=1, holdout=0.2)


def test_what_a_trainer_found_itself_is_taken_for_the_bundle_and_split_that_are_there(tuned):
    assert told_evaluation(tuned, TOLD) == Evaluation(0.5, 2, tuned.model_sha256, 1.25, 0.5)


@pytest.mark.parametrize(
    ("told", "spoil", "why"),
    [
        (None, None, "says nothing about the held-out rows"),
        (attrs.evolve(TOLD, rows=0), None, "says nothing about the held-out rows"),
        (attrs.evolve(TOLD, loss=float("nan")), None, "is not a number"),
        (attrs.evolve(TOLD, exact_match=float("inf")), None, "is not a number"),
        (attrs.evolve(TOLD, rows=3), None, "3 rows were judged, and the split that was recorded is another one"),
        (TOLD, "split.json", "the split that was recorded is another one"),
        (TOLD, "model/adapter", "no longer the bundle that training wrote"),
        (TOLD, "model/files.json", "no longer the bundle that training wrote"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_trainer_s_word_is_no_verdict_where_it_does_not_fit(tuned, told, spoil, why):
    """B1."""
    if spoil is not None:
        (tuned.folder.path / spoil).write_bytes(b"other")

    with pytest.raises(EvaluationError, match=why):
        told_evaluation(tuned, told)
