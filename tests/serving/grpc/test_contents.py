"""Typed contents: one field for each datatype, and no number that does not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest
from windlass.serving.grpc.contents import FIELDS, decode, encode
from windlass.serving.grpc.messages import message
from windlass.serving.tensors import DATATYPES, TensorSpec

Contents = message("InferTensorContents")


def elements(datatype):
    match DATATYPES[datatype].kind:
        case "b":
            return st.booleans()
        case "O":
            return st.binary(max_size=5)
        case "f":
            return st.floats(width=32 if datatype == "FP32" else 64)
    information = np.iinfo(DATATYPES[datatype])
    return st.integers(int(information.min), int(information.max))


def array_of(values, datatype):
    array = np.empty(len(values), dtype=DATATYPES[datatype])
    array[:] = values
    return array


@st.composite
def tensors(draw):
    datatype = draw(st.sampled_from(list(FIELDS)))
    return TensorSpec("t", datatype, (-1,)), array_of(draw(st.lists(elements(datatype), min_size=1)), datatype)


@given(tensors())
def test_every_datatype_survives_the_way_there_and_back(tensor):
    """G3: NaN and infinity, too, and bytes that are not text."""
    spec, array = tensor
    contents = Contents()
    encode(array, spec, contents)
    sent = Contents.FromString(contents.SerializeToString())
    back = decode(sent, spec, array.shape, where="t")
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    if array.dtype == object:
        assert back.tolist() == array.tolist()
    else:
        np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("datatype", ["INT8", "INT16", "UINT8", "UINT16"])
def test_a_narrow_integer_one_beyond_either_end_is_refused(datatype):
    """R9: the message's field is wider than the datatype."""
    information = np.iinfo(DATATYPES[datatype])
    spec = TensorSpec("t", datatype, (-1,))
    for value in (int(information.min) - 1, int(information.max) + 1):
        if value < 0 and datatype.startswith("U"):
            continue  # the message itself cannot hold it
        with pytest.raises(BadRequest, match=f"t: a number does not fit into {datatype}"):
            decode(Contents(**{FIELDS[datatype]: [value]}), spec, (1,), where="t")


@pytest.mark.parametrize(
    ("contents", "datatype", "shape", "why"),
    [
        pytest.param({"fp32_contents": [1]}, "FP64", (1,), "found fp32_contents, expected fp64_contents", id="field"),
        pytest.param(
            {"fp32_contents": [1], "int_contents": [1]}, "FP32", (1,), "found int_contents", id="a field too many"
        ),
        pytest.param({"fp32_contents": [1]}, "FP32", (2,), "1 elements, but shape", id="too few"),
        pytest.param({"fp32_contents": [1]}, "FP32", (2**62,), "1 elements, but shape", id="huge"),
        pytest.param({}, "FP32", (1,), "0 elements, but shape", id="none"),
        pytest.param({"fp32_contents": [1]}, "FP32", (0,), "does not fit", id="dimension of 0"),
        pytest.param({"fp32_contents": [1]}, "FP16", (1,), "send it in raw_input_contents", id="half precision"),
        pytest.param({"fp32_contents": [1]}, "BF16", (1,), "send it in raw_input_contents", id="brain float"),
    ],
)
def test_contents_that_do_not_add_up_are_refused(contents, datatype, shape, why):
    """G1, G3."""
    with pytest.raises(BadRequest, match=f"t: .*{why}"):
        decode(Contents(**contents), TensorSpec("t", datatype, (-1,)), shape, where="t")
