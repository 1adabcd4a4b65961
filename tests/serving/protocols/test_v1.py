"""The v1 protocol."""

import json

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest, ModelFailed
from windlass.serving.model import LoadedModel
from windlass.serving.protocols.v1 import parse, render
from windlass.serving.runtimes.linear import LinearModel
from windlass.serving.tensors import TensorSpec

LINEAR = LoadedModel("linear", "1", LinearModel(1.5, -0.8))
VECTOR = LoadedModel("linear", "1", LinearModel(1.0, (1.0, 2.0)))


@attrs.frozen
class Pair:
    """Two inputs, two outputs."""

    name: str = "pair"
    version: str = "1"
    platform: str = "test_test"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("a", "INT64", (-1,)), TensorSpec("b", "FP32", (-1, 2)))
    outputs: tuple[TensorSpec, ...] = (TensorSpec("sum", "FP32", (-1,)), TensorSpec("both", "FP32", (-1, 2)))
    rows_lost: int = 0

    def predict(self, inputs, /):
        total = inputs["a"].astype(np.float32) + inputs["b"].sum(axis=1)
        return {"sum": total[self.rows_lost :], "both": inputs["b"]}


PAIR = LoadedModel("pair", "1", Pair())


def answer(body, model=LINEAR):
    inputs = parse(body, model)
    return json.loads(render(model, inputs, outputs=model.model.predict(inputs)))["predictions"]


def test_one_input_takes_bare_values():
    assert answer(b'{"instances": [1, 2.5]}') == [0.7, -0.5]
    assert answer(b'{"instances": [[3, 4], [0, 0]]}', VECTOR) == [12.0, 1.0]


def test_one_input_takes_objects_as_well():
    assert answer(b'{"instances": [{"x": 1}, {"x": 2.5}]}') == [0.7, -0.5]


def test_several_outputs_answer_one_object_an_instance():
    predictions = answer(b'{"instances": [{"a": 1, "b": [0.1, 0.2]}, {"b": [1, 2], "a": 3}]}', PAIR)
    assert predictions == [{"sum": 1.3, "both": [0.1, 0.2]}, {"sum": 6.0, "both": [1.0, 2.0]}]


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=400))
def test_there_are_as_many_predictions_as_instances_in_the_same_order(values):
    """V1-2."""
    expected = [1.5 + -0.8 * value for value in values]
    assert expected == pytest.approx(answer(json.dumps({"instances": values}).encode()))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"{", "body: not JSON", id="cut off"),
        pytest.param(b"[1]", "body: expected object, got array", id="array"),
        pytest.param(b"{}", "missing required field instances", id="missing"),
        pytest.param(b'{"instances": 1}', 'Expected "instances" to be a list', id="number"),
        pytest.param(b'{"instances": {"x": 1}}', 'Expected "instances" to be a list', id="object"),
        pytest.param(b'{"instances": null}', 'Expected "instances" to be a list', id="null"),
        pytest.param(b'{"instances": []}', "instances: expected at least one", id="empty"),
        pytest.param(b'{"instances": [1, "a"]}', r"instances\[1\]: expected number, got string", id="string"),
        pytest.param(b'{"instances": [1, {"x": 1}]}', r"instances\[1\]: expected number", id="mixed"),
        pytest.param(b'{"instances": [{"x": 1}, 1]}', r"instances\[1\]: expected object", id="mixed the other way"),
        pytest.param(b'{"instances": [{"x": 1}, {}]}', r"instances\[1\]: expected the inputs x; found nothing", id="x"),
        pytest.param(b'{"instances": [{"x": 1, "y": 2}]}', r"instances\[0\]: .* found x, y", id="unknown"),
        pytest.param(b'{"instances": [[1]]}', r"instances\[0\]: expected number, got array", id="too deep"),
    ],
)
def test_a_bad_body_is_refused_by_instance(body, why):
    """V1-3."""
    with pytest.raises(BadRequest, match=why):
        parse(body, LINEAR)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b'{"instances": [[1, 2], [3]]}', "row 1 has 1 elements", id="ragged"),
        pytest.param(b'{"instances": [[1, 2, 3]]}', "does not fit", id="too wide"),
        pytest.param(b'{"instances": [1]}', "expected array, got integer", id="too flat"),
    ],
)
def test_instances_must_fit_the_model(body, why):
    with pytest.raises(BadRequest, match=why):
        parse(body, VECTOR)


def test_several_inputs_need_objects():
    with pytest.raises(BadRequest, match="objects with the inputs a, b"):
        parse(b'{"instances": [1]}', PAIR)


def test_a_model_that_loses_rows_is_found_out():
    broken = LoadedModel("pair", "1", Pair(rows_lost=1))
    with pytest.raises(ModelFailed, match="'sum' has 1 rows for 2 instances"):
        answer(b'{"instances": [{"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 2]}]}', broken)


def test_a_model_without_batches_sends_the_client_to_v2():
    fixed = attrs.evolve(Pair(), inputs=(TensorSpec("a", "INT64", (3,)),))
    with pytest.raises(BadRequest, match="use the v2 protocol"):
        parse(b'{"instances": [1]}', LoadedModel("fixed", "1", fixed))
