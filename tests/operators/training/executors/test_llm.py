"""The executor `llm-finetune` renders a plan from the spec alone, and refuses what it cannot do."""

import importlib.util

import attrs
import pytest

from windlass.controller.executors import CONTRACT, ExecutorRegistry
from windlass.informers.keys import Key
from windlass.operators.errors import ExtraMissing, HyperparametersInvalid
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.executors.llm import LLM_FINETUNE, PARAMETERS
from windlass.operators.training.llm.config import Settings, TuningConfig, parse_tuning
from windlass.operators.training.types import DataReference, Output, TrainingJobSpec

RUN = Run(Key("default", "digits"), "run1", "op1", 1, DataRecord("/t", "id", 0, "digest", 1, 10))


def spec(**hyperparameters):
    given = {"model": "/models/llama", **hyperparameters}
    known = {name: value for name, value in given.items() if value is not None}
    return TrainingJobSpec(DataReference("/t"), "llm-finetune", Output("answers"), known)


def test_it_keeps_the_registry_s_contract():
    assert LLM_FINETUNE is ExecutorRegistry(discover=lambda: ()).register("llm-finetune", LLM_FINETUNE)
    assert all(hasattr(LLM_FINETUNE, part) for part in CONTRACT)


def test_equal_arguments_render_equal_plans_on_every_attempt():
    """A6."""
    again = attrs.evolve(RUN, attempt=2, op_id="op2")

    assert LLM_FINETUNE.render(spec(rank=4), RUN) == LLM_FINETUNE.render(spec(rank=4.0), RUN)
    assert LLM_FINETUNE.render(spec(), RUN).config == LLM_FINETUNE.render(spec(), again).config


def test_defaults_are_filled_in_and_given_values_kept():
    plan = LLM_FINETUNE.render(spec(rank=4, merge=True), RUN)

    assert plan.module == "windlass.operators.training.llm.trainer"
    settings = Settings(1, 4, 2e-4, 4, 16.0, 0.0, 512, 0, 1.0, 50)
    assert parse_tuning(plan.config) == TuningConfig("run1", RUN.data, 0, 0.2, "/models/llama", True, settings)


def test_defaults_are_within_their_own_bounds():
    assert [None] * len(PARAMETERS) == [parameter.fault(parameter.default) for parameter in PARAMETERS]


@pytest.mark.parametrize("call", [LLM_FINETUNE.check, lambda given: LLM_FINETUNE.render(given, RUN)])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model": None}, "hyperparameters.model: expected the absolute path of a model's folder, found none"),
        ({"model": "gpt2"}, "hyperparameters.model: expected the absolute path of a model's folder, found 'gpt2'"),
        ({"model": "/m/../etc"}, "hyperparameters.model: expected the absolute path of a model's folder, found"),
        ({"merge": "yes"}, "hyperparameters.merge: expected true or false, found 'yes'"),
        ({"rank": 0}, "hyperparameters.rank: expected an integer from 1 to 4096, found 0"),
        ({"layers": 2}, "hyperparameters.layers: unknown; this executor knows model, merge, epochs, batchSize"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_wrong_hyperparameter_is_refused_by_name(call, given, told):
    with pytest.raises(HyperparametersInvalid) as caught:
        call(spec(**given))

    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(told)


def test_every_fault_is_told_at_once():
    with pytest.raises(HyperparametersInvalid) as caught:
        LLM_FINETUNE.check(spec(model=3, merge=1, rank=-1))

    assert len(caught.value.faults) == 3


@pytest.mark.parametrize(("library", "extra"), [("deltalake", "delta"), ("torch", "llm"), ("peft", "llm")])
def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch, library, extra):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else find(name))

    with pytest.raises(ExtraMissing, match=rf"needs the library '{library}'.*pip install 'windlass\[{extra}\]'"):
        LLM_FINETUNE.check(spec())
