"""The executor `mlp`: a job's hyperparameters become the perceptron's, and the real program trains and resumes it."""

import json

import attrs
import pytest

from windlass.controller.executors import CONTRACT, ExecutorRegistry
from windlass.informers.keys import Key
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.config import parse_config
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.executors.mlp import MLP, PARAMETERS
from windlass.operators.training.gate.assembly import Judged, subject_of
from windlass.operators.training.gate.checks.fgsm import FGSM
from windlass.operators.training.gate.checks.sensitivity import SENSITIVITY
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.mlp import Settings
from windlass.operators.training.trainer import main, train
from windlass.operators.training.types import DataReference, Output, TrainingJobSpec
from windlass.operators.training.validation import Subject, evaluate

RUN = Run(Key("default", "digits"), "run1", "op1", 1, DataRecord("/t", "id", 0, "digest", 1, 10))
SETTINGS = Settings(epochs=6, batch_size=16, learning_rate=0.02, hidden_layers=2, hidden_units=8, weight_decay=0.01)


def spec(**hyperparameters):
    return TrainingJobSpec(DataReference("/t"), "mlp", Output("digits"), hyperparameters)


def test_it_keeps_the_registry_s_contract():
    assert MLP is ExecutorRegistry(discover=lambda: ()).register("mlp", MLP)
    assert all(hasattr(MLP, part) for part in CONTRACT)


def test_equal_arguments_render_equal_plans_that_the_trainer_reads_back():
    """A6."""
    plan = MLP.render(spec(epochs=3, hiddenUnits=5.0), RUN)

    assert plan == MLP.render(spec(epochs=3, hiddenUnits=5.0), RUN)
    assert json.loads(plan.config)["learner"] == "mlp"
    assert parse_config(plan.config).settings == Settings(3, 32, 0.002, 1, 5, 0.01)


def test_defaults_are_within_their_own_bounds():
    assert [None] * len(PARAMETERS) == [parameter.fault(parameter.default) for parameter in PARAMETERS]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"hiddenLayers": 0}, r"hyperparameters\.hiddenLayers: expected an integer from 1 to 16, found 0"),
        ({"hiddenUnits": 1.5}, r"hyperparameters\.hiddenUnits: expected an integer from 1 to 65536, found 1\.5"),
        ({"momentum": 0.9}, r"hyperparameters\.momentum: unknown; this executor knows epochs, batchSize, learningRate"),
    ],
)
def test_a_wrong_hyperparameter_is_refused_by_name(given, told):
    with pytest.raises(HyperparametersInvalid, match=told):
        MLP.check(spec(**given))


def model_of(folder):
    return tuple((folder.path / name).read_bytes() for name in ("model.npz", "model.onnx"))


@pytest.mark.realtime
def test_a_perceptron_killed_after_every_other_epoch_ends_with_the_same_bytes(lab):
    """M24: whatever attempt a bit was computed in, it is the same."""
    config = lab.config(settings=attrs.evolve(SETTINGS, epochs=60, batch_size=2))
    undisturbed, disturbed = lab.folder(config, "one"), lab.folder(config, "other")
    train(undisturbed, config)

    for attempt in range(1, 4):
        process = lab.trainer(disturbed, attempt=attempt)
        for _ in range(attempt * 2):
            process.stdout.readline()
        process.kill()
        process.communicate()
    assert main([str(disturbed.path), "--attempt", "9"]) == 0

    assert model_of(undisturbed) == model_of(disturbed)
    epochs = [json.loads(line)["epoch"] for line in disturbed.progress_log.read_text().splitlines()]
    assert epochs == sorted(set(epochs))


def test_what_it_exports_passes_through_the_gate_s_checks(lab):
    """B3 by its own gradient, B6 by training it again."""
    config = lab.config(settings=SETTINGS)
    folder = lab.folder(config)
    train(folder, config)
    result = folder.result()
    trained = Subject(folder, result.model_sha256, config.data, seed=config.seed, holdout=config.holdout)
    judged = Judged(
        trained=trained, classes=result.classes, executor="mlp", hyperparameters={}, published=lab.path / "models"
    )
    subject = subject_of(judged)

    assert evaluate(trained).accuracy > 0.85
    robust = FGSM.measure(subject, {"epsilon": 0.1, "maxSuccessRate": 0.2, "minSamples": 20}, Deadline(60))
    assert (robust.outcome, robust.details["mode"]) == ("Passed", "gradient")
    assert subject.hyperparameters == {
        "epochs": 6,
        "batchSize": 16,
        "learningRate": 0.02,
        "hiddenLayers": 2,
        "hiddenUnits": 8,
        "weightDecay": 0.01,
    }
    steady = SENSITIVITY.measure(subject, {"vary": ["learningRate", "hiddenUnits"], "trials": 5}, Deadline(60))
    assert steady.outcome == "Passed"
    assert steady.details["trials"][0]["value"] > 0.7
