"""What all forms of a request share."""

import numpy as np
import pytest

from windlass.serving.errors import BadRequest
from windlass.serving.model import LoadedModel
from windlass.serving.protocols.request import check_inputs, choose_outputs, input_spec, refuse_classification
from windlass.serving.tensors import TensorSpec

X = TensorSpec("x", "FP32", (-1, 2))
Y = TensorSpec("y", "FP32", (-1,))
FIXED = TensorSpec("z", "FP32", (3,))


@pytest.fixture
def model(echo):
    return LoadedModel("m", "1", echo(X, Y, FIXED))


def test_an_input_is_found_by_its_name(model):
    assert input_spec(model, "y", datatype="FP32", taken={"x"}) is Y


@pytest.mark.parametrize(
    ("name", "datatype", "why"),
    [
        ("w", "FP32", "input 'w': unknown; model 'm' takes 'x', 'y', 'z'"),
        ("x", "FP32", "input 'x': given twice"),
        ("y", "", "input 'y': datatype '', expected 'FP32'"),
    ],
)
def test_an_input_that_is_not_expected_is_refused(model, name, datatype, why):
    """R9."""
    with pytest.raises(BadRequest, match=f"^{why}$"):
        input_spec(model, name, datatype=datatype, taken={"x"})


def test_batches_have_the_same_number_of_rows(model):
    """R9: an input that is no batch has no rows to compare."""
    inputs = {"x": np.zeros((2, 2)), "y": np.zeros(2), "z": np.zeros(3)}
    check_inputs(model, inputs)
    with pytest.raises(BadRequest, match="different numbers of rows: 'x' has 2, 'y' has 1"):
        check_inputs(model, {**inputs, "y": np.zeros(1)})
    with pytest.raises(BadRequest, match="input 'z': missing"):
        check_inputs(model, {"x": inputs["x"], "y": inputs["y"]})


def test_outputs_come_in_the_order_asked_for_and_all_when_none_is(model):
    """R8."""
    assert choose_outputs(model, ["y", "x"]) == (Y, X)
    assert choose_outputs(model, []) == (X, Y, FIXED)


@pytest.mark.parametrize(
    ("names", "why"),
    [(["w"], "output 'w': unknown; model 'm' returns 'x', 'y', 'z'"), (["x", "x"], "output 'x': asked for twice")],
)
def test_an_output_that_does_not_exist_is_refused(model, names, why):
    with pytest.raises(BadRequest, match=f"^{why}$"):
        choose_outputs(model, names)


def test_classification_is_refused_and_nothing_else():
    refuse_classification("x", {"binary_data": True})
    with pytest.raises(BadRequest, match="output 'x': the classification extension is not supported"):
        refuse_classification("x", {"classification": 3})
