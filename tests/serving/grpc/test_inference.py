"""A request in the gRPC form: all raw or all typed, and refused with the same sentences as in the JSON form."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest
from windlass.serving.grpc import inference
from windlass.serving.grpc.messages import DecodeError, message
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import DATATYPES, TensorSpec

Request = message("ModelInferRequest")

X = TensorSpec("x", "FP32", (-1, 2))
Y = TensorSpec("y", "INT64", (-1,))
H = TensorSpec("h", "FP16", (-1,))
TYPED_X = {"name": "x", "datatype": "FP32", "shape": [1, 2], "contents": {"fp32_contents": [1, 2]}}
TYPED_Y = {"name": "y", "datatype": "INT64", "shape": [1], "contents": {"int64_contents": [3]}}
RAW_X = {"name": "x", "datatype": "FP32", "shape": [1, 2]}
RAW_Y = {"name": "y", "datatype": "INT64", "shape": [1]}
BLOB_X = np.array([1, 2], dtype="<f4").tobytes()
BLOB_Y = np.array([3], dtype="<i8").tobytes()


@pytest.fixture
def pair(echo):
    return LoadedModel("echo", "7", echo(X, Y))


def answer(model, **fields):
    parsed = inference.parse(Request(**fields), model)
    return inference.render(model, parsed, model.model.predict(parsed.inputs), new_id=lambda: "made-up")


def test_typed_inputs_get_typed_outputs(pair):
    """D3, G2: everything that is required is answered."""
    response = answer(pair, inputs=[TYPED_Y, TYPED_X])
    assert (response.model_name, response.model_version, response.id) == ("echo", "7", "made-up")
    assert [(one.name, one.datatype, list(one.shape)) for one in response.outputs] == [
        ("x", "FP32", [1, 2]),
        ("y", "INT64", [1]),
    ]
    assert response.outputs[0].contents.fp32_contents == [1, 2]
    assert response.outputs[1].contents.int64_contents == [3]
    assert not response.raw_output_contents


def test_raw_inputs_get_raw_outputs(pair):
    """G1, G2."""
    response = answer(pair, inputs=[RAW_Y, RAW_X], raw_input_contents=[BLOB_Y, BLOB_X])
    assert list(response.raw_output_contents) == [BLOB_X, BLOB_Y]
    assert not any(one.HasField("contents") for one in response.outputs)


def test_an_output_without_a_typed_form_makes_the_answer_raw():
    """G1: half precision travels raw only."""
    model = LoadedModel("m", "1", _Halving())
    parsed = inference.parse(Request(inputs=[TYPED_X]), model)
    response = inference.render(model, parsed, {"h": np.array([1.5], dtype="<f2")})
    assert [np.array([1.5], dtype="<f2").tobytes()] == list(response.raw_output_contents)


class _Halving:
    name, version, platform, inputs, outputs = "m", "1", "test_test", (X,), (H,)


def test_the_id_comes_back_as_it_was(pair):
    """R7."""
    assert answer(pair, id="é7", inputs=[TYPED_X, TYPED_Y]).id == "é7"


@pytest.mark.parametrize("names", [["y"], ["x"], ["y", "x"], []])
def test_only_the_outputs_asked_for_in_the_order_asked(pair, names):
    """R8: absent means all."""
    response = answer(pair, inputs=[TYPED_X, TYPED_Y], outputs=[{"name": name} for name in names])
    assert (names or ["x", "y"]) == [one.name for one in response.outputs]


PARAMETER = {"p": {}}
CLASSIFICATION = {"classification": {"int64_param": 1}}
BAD = [
    pytest.param({"inputs": [TYPED_X]}, "input 'y': missing", id="one missing"),
    pytest.param({"inputs": [TYPED_X, TYPED_X]}, "input 'x': given twice", id="twice"),
    pytest.param({"inputs": [{**TYPED_X, "name": "z"}]}, "input 'z': unknown; model 'echo' takes 'x', 'y'", id="name"),
    pytest.param({"inputs": [{**TYPED_X, "datatype": "FP64"}]}, "datatype 'FP64', expected 'FP32'", id="datatype"),
    pytest.param({"inputs": [{**TYPED_X, "shape": [-1, 2]}]}, "does not fit", id="negative dimension"),
    pytest.param({"inputs": [{**TYPED_X, "shape": [2]}]}, "has 1 dimensions", id="rank"),
    pytest.param({"inputs": [TYPED_X, {**TYPED_Y, "shape": [2]}]}, "1 elements", id="count"),
    pytest.param(
        {"inputs": [TYPED_X, {**TYPED_Y, "shape": [2], "contents": {"int64_contents": [1, 2]}}]},
        "different numbers of rows",
        id="rows",
    ),
    pytest.param(
        {"inputs": [RAW_X, RAW_Y], "raw_input_contents": [BLOB_X]}, "1 buffers for 2 inputs", id="a buffer too few"
    ),
    pytest.param(
        {"inputs": [RAW_X, RAW_Y], "raw_input_contents": [BLOB_X, BLOB_Y, b""]}, "3 buffers for 2", id="one too many"
    ),
    pytest.param(
        {"inputs": [RAW_X, TYPED_Y], "raw_input_contents": [BLOB_X, BLOB_Y]},
        "input 'y': has contents beside",
        id="both",
    ),
    pytest.param(
        {"inputs": [RAW_X, RAW_Y], "raw_input_contents": [BLOB_X[:-1], BLOB_Y]}, "7 bytes of data, but FP32", id="short"
    ),
    pytest.param(
        {"inputs": [TYPED_X, TYPED_Y], "outputs": [{"name": "z"}]}, "output 'z': unknown; model 'echo'", id="output"
    ),
    pytest.param(
        {"inputs": [TYPED_X, TYPED_Y], "outputs": [{"name": "x"}, {"name": "x"}]}, "asked for twice", id="output twice"
    ),
    pytest.param(
        {
            "inputs": [TYPED_X, TYPED_Y],
            "outputs": [{"name": "x", "parameters": {"classification": {"int64_param": 1}}}],
        },
        "output 'x': the classification extension is not supported",
        id="classification",
    ),
    pytest.param({"parameters": PARAMETER}, "parameters: parameter 'p' has no value", id="parameter"),
    pytest.param({"inputs": [{**TYPED_X, "parameters": PARAMETER}]}, "input 'x': parameter 'p'", id="of an input"),
    pytest.param(
        {"inputs": [TYPED_X, TYPED_Y], "outputs": [{"name": "x", "parameters": PARAMETER}]},
        "output 'x': parameter 'p'",
        id="output's parameter",
    ),
]


@pytest.mark.parametrize(("fields", "why"), BAD)
def test_a_bad_request_is_refused_with_the_input_and_the_reason(pair, fields, why):
    """R8, R9, R14, G1, G4."""
    with pytest.raises(BadRequest, match=why):
        inference.parse(Request(**fields), pair)


tensor_fields = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "y", "z"]), "datatype": st.sampled_from(list(DATATYPES))},
    optional={
        "shape": st.lists(st.integers(-2, 3) | st.integers(-(2**63), 2**63 - 1), max_size=3),
        "contents": st.fixed_dictionaries(
            {},
            optional={
                "fp32_contents": st.lists(st.floats(width=32), max_size=4),
                "int64_contents": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
            },
        ),
    },
)


@given(st.lists(tensor_fields, max_size=3), st.lists(st.binary(max_size=9), max_size=3))
def test_no_request_ends_in_anything_but_an_answer_or_a_bad_request(echo, tensors, blobs):
    model = LoadedModel("echo", "7", echo(X, Y))
    with contextlib.suppress(BadRequest):
        answer(model, inputs=tensors, raw_input_contents=blobs)


@given(st.binary(max_size=60))
def test_no_bytes_end_in_anything_but_an_answer_or_a_bad_request(echo, raw):
    with contextlib.suppress(BadRequest, DecodeError):
        inference.parse(Request.FromString(raw), LoadedModel("echo", "7", echo(X)))
