"""What checks look at is what the run left behind, and the model in production if that can be told for certain."""

import json

import attrs
import numpy as np
import pytest

from windlass.operators.errors import EvaluationError
from windlass.operators.training.export import Trained, as_onnx
from windlass.operators.training.gate.assembly import Judged, incumbent_of, subject_of
from windlass.operators.training.gate.checks.sensitivity import SENSITIVITY
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.subject import NO_INCUMBENT
from windlass.operators.training.publish import Artefact, publish
from windlass.operators.training.table import read_rows
from windlass.operators.training.trainer import train
from windlass.operators.training.validation import Subject, evaluate


def trained(lab, **changes):
    config = lab.config()
    folder = lab.folder(config)
    train(folder, config)
    result = folder.result()
    given = {
        "trained": Subject(folder, result.model_sha256, config.data, seed=config.seed, holdout=config.holdout),
        "classes": result.classes,
        "executor": "softmax",
        "hyperparameters": {},
        "published": lab.path / "models" / "m",
    }
    return Judged(**(given | changes))


def test_the_model_is_judged_on_the_rows_it_was_evaluated_on(lab):
    judged = trained(lab)
    found = subject_of(judged)

    assert found.model.right(found.evaluation).mean() == evaluate(judged.trained).accuracy
    assert found.model.digest == judged.trained.model_sha256
    assert len(found.evaluation) + len(found.training) == len(read_rows(judged.trained.data).ids)
    assert found.model.gradient is not None
    assert (found.incumbent, found.recent, found.seed) == (NO_INCUMBENT, None, 3)


def test_the_same_run_has_the_same_inputs(lab):
    judged = trained(lab)

    assert subject_of(judged).inputs() == subject_of(judged).inputs()
    assert set(subject_of(judged).inputs()) == {"model", "evaluation", "training"}


def test_our_own_trainer_can_be_repeated_with_what_it_was_told(lab):
    found = subject_of(trained(lab))

    assert found.hyperparameters == {"epochs": 6, "batchSize": 16, "learningRate": 0.05, "momentum": 0.9, "l2": 1e-4}
    measured = SENSITIVITY.measure(found, {"vary": ["learningRate"], "trials": 5}, Deadline(60))
    assert measured.outcome == "Passed"
    assert measured.details["trials"][0]["value"] > 0.8


def test_another_executor_cannot_be_repeated_here(lab):
    found = subject_of(trained(lab, executor="llm-finetune", hyperparameters={"rank": 8, "name": "x", "flag": True}))

    assert found.trials is None
    assert found.hyperparameters == {"rank": 8}


def test_a_model_that_is_no_longer_what_training_wrote_is_not_judged(lab):
    judged = trained(lab)
    judged.trained.folder.model.write_bytes(b"another")

    with pytest.raises(EvaluationError, match="no longer the file that training wrote"):
        subject_of(judged)


def published(lab, *, run="r1", shift=0.0, labels=("0", "1", "2")):
    model = as_onnx(Trained.linear(np.eye(4)[:, :3] + shift, np.zeros(3), np.arange(3), 1.0))
    return publish(lab.path / "models", "m", Artefact(run, model, labels=labels))


def test_the_newest_published_version_is_the_one_in_production(lab):
    published(lab)
    second = published(lab, run="r2", shift=0.5)

    found = incumbent_of(lab.path / "models" / "m")

    assert found.digest == second.sha256
    assert found.classes.tolist() == [0, 1, 2]


def test_where_nothing_was_published_it_is_known_that_there_is_none(lab):
    assert incumbent_of(lab.path / "models" / "m") == NO_INCUMBENT
    (lab.path / "models" / "m").mkdir(parents=True)
    (lab.path / "models" / "m" / ".publish.lock").touch()
    assert incumbent_of(lab.path / "models" / "m") == NO_INCUMBENT


@pytest.mark.parametrize(
    "spoil", ["no description", "another digest", "no model", "labels", "no folder", "an older one"]
)
def test_where_it_cannot_be_told_it_is_not_known(lab, spoil):
    """B1: an older version behind a broken newest one is not the one in production."""
    published(lab, labels=("a", "b", "c") if spoil == "labels" else ("0", "1", "2"))
    folder = lab.path / "models" / "m" / "1"
    description = folder / "model.json"
    if spoil == "no description":
        description.unlink()
    elif spoil == "another digest":
        description.write_text(json.dumps({**json.loads(description.read_text()), "sha256": "0" * 64}))
    elif spoil == "no model":
        (folder / "model.onnx").unlink()
    elif spoil == "an older one":
        (lab.path / "models" / "m" / "2").mkdir()
    path = lab.path / "models" / "m" / "1" / "model.onnx" if spoil == "no folder" else lab.path / "models" / "m"

    assert incumbent_of(path) is None


def test_the_incumbent_is_among_the_inputs(lab):
    made = published(lab)
    judged = attrs.evolve(trained(lab), published=lab.path / "models" / "m")

    assert subject_of(judged).inputs()["incumbent"] == made.sha256
