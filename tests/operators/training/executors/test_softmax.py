"""The executor `softmax` renders a plan from the spec alone, and refuses what it cannot do."""

import importlib.util
import json

import attrs
import pytest

from windlass.controller.executors import CONTRACT, ExecutorRegistry
from windlass.informers.keys import Key
from windlass.informers.typed import structure
from windlass.operators.errors import ExtraMissing, HyperparametersInvalid
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.executors.softmax import PARAMETERS, SOFTMAX
from windlass.operators.training.sample import sample_job
from windlass.operators.training.types import DataReference, Output, TrainingJob, TrainingJobSpec, Workload

RUN = Run(Key("default", "digits"), "run1", "op1", 1, DataRecord("/t", "id", 0, "digest", 1, 10))


def spec(**hyperparameters):
    return TrainingJobSpec(DataReference("/t"), "softmax", Output("digits"), hyperparameters)


def test_it_keeps_the_registry_s_contract():
    registry = ExecutorRegistry(discover=lambda: ())

    assert SOFTMAX is registry.register("softmax", SOFTMAX)
    assert all(hasattr(SOFTMAX, part) for part in CONTRACT)


def test_words_for_a_program_of_ones_own_are_refused_for_it_has_its_own():
    foreign = attrs.evolve(spec(), workload=Workload(command=("x",)), executor_config={"a": 1})

    with pytest.raises(HyperparametersInvalid, match=r"workload: expected none, .*executorConfig\.a: unknown"):
        SOFTMAX.check(foreign)


def test_equal_arguments_render_equal_plans_byte_for_byte():
    assert SOFTMAX.render(spec(epochs=3), RUN) == SOFTMAX.render(spec(epochs=3), RUN)


def test_the_configuration_is_the_same_on_every_attempt():
    """Otherwise the checkpoints of the first attempt would not be the second's."""
    again = attrs.evolve(RUN, attempt=2, op_id="op2")

    assert SOFTMAX.render(spec(), RUN).config == SOFTMAX.render(spec(), again).config


def test_no_word_of_the_spec_becomes_a_program_or_an_argument():
    plan = SOFTMAX.render(attrs.evolve(spec(), executor="x; rm -rf /"), RUN)

    assert plan.module == "windlass.operators.training.trainer"


def test_defaults_are_filled_in_and_given_values_kept():
    settings = json.loads(SOFTMAX.render(spec(epochs=3, l2=0), RUN).config)["settings"]

    assert settings == {"epochs": 3, "batch_size": 8, "learning_rate": 0.005, "momentum": 0.9, "l2": 0.0}


def test_defaults_are_within_their_own_bounds():
    assert [None] * len(PARAMETERS) == [parameter.fault(parameter.default) for parameter in PARAMETERS]


def test_the_sample_job_is_accepted():
    SOFTMAX.check(structure(sample_job("file:///t"), TrainingJob).spec)


@pytest.mark.parametrize("call", [SOFTMAX.check, lambda given: SOFTMAX.render(given, RUN)])
def test_a_wrong_hyperparameter_is_refused_by_name(call):
    with pytest.raises(
        HyperparametersInvalid, match=r"hyperparameters\.learningRate: expected a number above 0 to 1000000, found -1"
    ):
        call(spec(learningRate=-1))


@pytest.mark.parametrize(("library", "extra"), [("deltalake", "delta"), ("onnx", "train"), ("onnxruntime", "onnx")])
def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch, library, extra):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else find(name))

    with pytest.raises(
        ExtraMissing, match=rf"needs the library '{library}', which is missing: pip install 'windlass\[{extra}\]'"
    ):
        SOFTMAX.check(spec())
