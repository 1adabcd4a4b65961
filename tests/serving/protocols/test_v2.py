"""The Open Inference Protocol v2, JSON form; the binary form's framing is in test_binary."""

import json
import math

import attrs
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest
from windlass.serving.model import LoadedModel
from windlass.serving.protocols import v2
from windlass.serving.runtimes.linear import LinearModel
from windlass.serving.tensors import DATATYPES, TensorSpec


@attrs.frozen
class Echo:
    """Answers its inputs as outputs."""

    inputs: tuple[TensorSpec, ...]
    name: str = "echo"
    version: str = "7"
    platform: str = "test_test"

    @property
    def outputs(self):
        return self.inputs

    def predict(self, inputs, /):
        return inputs


def echo(*specs):
    return LoadedModel("echo", "7", Echo(specs))


X = TensorSpec("x", "FP32", (-1, 2))
Y = TensorSpec("y", "INT64", (-1,))
PAIR = echo(X, Y)
GOOD_X = {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}
GOOD_Y = {"name": "y", "datatype": "INT64", "shape": [2], "data": [5, 6]}


def parse(content, model=PAIR):
    return v2.parse(content if isinstance(content, bytes) else json.dumps(content).encode(), model)


def answer(content, model=PAIR):
    request = parse(content, model)
    rendered = v2.render(model, request, model.model.predict(request.inputs), new_id=lambda: "made-up")
    assert rendered.header_length is None
    return json.loads(rendered.body)


def test_everything_required_is_answered():
    """D3, R8, R15: the flat form, all outputs in the metadata's order."""
    expected = {
        "id": "made-up",
        "model_name": "echo",
        "model_version": "7",
        "outputs": [
            {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]},
            {"name": "y", "datatype": "INT64", "shape": [2], "data": [5, 6]},
        ],
    }
    assert expected == answer({"inputs": [GOOD_Y, GOOD_X]})


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_the_id_comes_back_as_it_was(identifier):
    """R7."""
    assert identifier == answer({"id": identifier, "inputs": [GOOD_X, GOOD_Y]})["id"]


def test_the_linear_example():
    linear = LoadedModel("linear", "1", LinearModel())
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "data": [1, 2.5]}]}
    assert answer(body, linear)["outputs"][0]["data"] == [0.7, -0.5]


@pytest.mark.parametrize("names", [["y"], ["x"], ["y", "x"], ["x", "y"]])
def test_only_the_outputs_asked_for_in_the_order_asked(names):
    """R8."""
    content = {"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": name} for name in names]}
    assert names == [output["name"] for output in answer(content)["outputs"]]


def test_null_and_empty_optional_fields_count_as_absent():
    content = {"id": None, "inputs": [{**GOOD_X, "parameters": None}, GOOD_Y], "outputs": [], "parameters": {}}
    assert [output["name"] for output in answer(content)["outputs"]] == ["x", "y"]


def test_fields_that_nobody_knows_are_passed_over():
    assert answer({"inputs": [GOOD_X, GOOD_Y], "priority": 3, "parameters": {"timeout": 1}})["id"] == "made-up"


def test_64_bit_integers_are_exact():
    """R12: beyond 2^53 a double would change them."""
    for value in (2**53 + 1, 2**63 - 1, -(2**63)):
        body = {"inputs": [{"name": "y", "datatype": "INT64", "shape": [1], "data": [value]}]}
        assert [value] == answer(body, echo(Y))["outputs"][0]["data"]
    unsigned = {"inputs": [{"name": "u", "datatype": "UINT64", "shape": [1], "data": [2**64 - 1]}]}
    assert answer(unsigned, echo(TensorSpec("u", "UINT64", (-1,))))["outputs"][0]["data"] == [2**64 - 1]


BAD = [
    pytest.param(b"", "body: empty", id="empty body"),
    pytest.param(b"{", "body: not JSON", id="invalid JSON"),
    pytest.param(b"[]", "body: expected object, got array", id="array"),
    pytest.param({}, "missing required field inputs", id="inputs missing"),
    pytest.param({"inputs": {}}, "inputs: expected array", id="inputs an object"),
    pytest.param({"inputs": [1]}, r"inputs\[0\]: expected object", id="input a number"),
    pytest.param({"inputs": []}, "input 'x': missing", id="no inputs"),
    pytest.param({"inputs": [GOOD_X]}, "input 'y': missing", id="one missing"),
    pytest.param({"inputs": [GOOD_X, GOOD_Y, GOOD_X]}, "input 'x': given twice", id="twice"),
    pytest.param(
        {"inputs": [{**GOOD_X, "name": "z"}]}, "input 'z': unknown; model 'echo' takes 'x', 'y'", id="unknown"
    ),
    pytest.param({"inputs": [{**GOOD_X, "datatype": "FP64"}]}, "datatype 'FP64', expected 'FP32'", id="datatype"),
    pytest.param({"inputs": [{**GOOD_X, "datatype": "FLOAT"}]}, "datatype 'FLOAT'", id="unknown datatype"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [4]}]}, "shape .* has 1 dimensions", id="rank"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [-1, 2]}]}, "does not fit", id="shape with -1"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [0, 2], "data": []}]}, "does not fit", id="shape with 0"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [2, 3]}]}, "does not fit", id="fixed dimension"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [3, 2]}]}, "data has 4 elements", id="count"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [10**15, 2]}]}, "data has 4 elements", id="huge"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [10**4000, 2]}]}, "shape", id="too long to print"),
    pytest.param({"inputs": [{**GOOD_X, "shape": [2.5, 2]}]}, r"shape\[0\]: expected integer", id="fraction in shape"),
    pytest.param({"inputs": [{**GOOD_X, "shape": "2,2"}]}, "shape: expected array", id="shape a string"),
    pytest.param({"inputs": [{**GOOD_X, "data": [[1, 2], [3]]}]}, "input 'x': data: row 1", id="ragged"),
    pytest.param({"inputs": [{**GOOD_X, "data": ["a"] * 4}]}, r"input 'x': data\[0\]: expected number", id="strings"),
    pytest.param({"inputs": [{**GOOD_X, "data": 1}]}, "must be a JSON array", id="scalar data"),
    pytest.param({"inputs": [{**GOOD_X, "data": None}]}, "must be a JSON array", id="null data"),
    pytest.param({"inputs": [{k: v for k, v in GOOD_X.items() if k != "data"}]}, "exactly one of data", id="no data"),
    pytest.param({"inputs": [{**GOOD_Y, "data": [2**63, 1]}]}, "does not fit into INT64", id="integer overflow"),
    pytest.param({"inputs": [{**GOOD_X, "parameters": {"a": []}}]}, "parameters", id="nested parameter"),
    pytest.param({"inputs": [GOOD_X, {**GOOD_Y, "shape": [1], "data": [1]}]}, "different numbers of rows", id="rows"),
    pytest.param({"id": 1, "inputs": [GOOD_X, GOOD_Y]}, "id: expected string", id="number as id"),
    pytest.param({"parameters": {"a": {}}, "inputs": [GOOD_X, GOOD_Y]}, "parameters", id="nested request parameter"),
    pytest.param({"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": "z"}]}, "output 'z': unknown", id="unknown output"),
    pytest.param(
        {"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": "x"}, {"name": "x"}]},
        "output 'x': asked for twice",
        id="output twice",
    ),
    pytest.param(
        {"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": "x", "parameters": {"classification": 2}}]},
        "classification extension is not supported",
        id="classification",
    ),
    pytest.param(
        {"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": "x", "parameters": {"binary_data": 1}}]},
        "binary_data: expected true or false",
        id="number as flag",
    ),
]


@pytest.mark.parametrize(("content", "why"), BAD)
def test_a_bad_request_is_refused_with_the_input_and_the_reason(content, why):
    """R8, R9, R14, D4."""
    with pytest.raises(BadRequest, match=why):
        parse(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["x", "y"]) | json_values},
        optional={
            "datatype": st.sampled_from(list(DATATYPES)) | json_values,
            "shape": st.lists(st.integers(-2, 3), max_size=3) | json_values,
            "data": json_values,
            "parameters": st.just({"binary_data_size": 4}) | json_values,
        },
    )
)
def test_no_request_ends_in_anything_but_an_answer_or_a_bad_request(tensor):
    for model in (echo(X), echo(Y), PAIR):
        try:
            request = parse({"inputs": [tensor]}, model)
        except BadRequest:
            continue
        assert math.prod(next(iter(request.inputs.values())).shape) > 0


def test_metadata_describes_the_model_and_its_folder():
    """R6."""
    model = attrs.evolve(PAIR, labels=("no", "yes"), metadata={"job": "a/b"})
    expected = {
        "name": "echo",
        "versions": ["7"],
        "platform": "test_test",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "y", "datatype": "INT64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "y", "datatype": "INT64", "shape": [-1]},
        ],
        "properties": {"job": "a/b", "labels": "no,yes"},
    }
    assert expected == msgspec.json.decode(msgspec.json.encode(v2.metadata(model)))
    assert "properties" not in v2.metadata(PAIR)


def test_a_result_that_json_cannot_carry_asks_for_raw_bytes():
    """Asking again with binary_data succeeds, so the request is to blame and not the model."""
    request = parse({"inputs": [GOOD_X, GOOD_Y]})
    outputs = {**request.inputs, "x": np.full((2, 2), np.nan, dtype=np.float32)}
    with pytest.raises(BadRequest, match=r"output 'x': holds NaN or infinity.*; ask for binary_data"):
        v2.render(PAIR, request, outputs)


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_precision_is_neither_read_from_json_nor_written_to_it(datatype):
    """R12, D5."""
    model = echo(TensorSpec("h", datatype, (-1,)))
    tensor = {"name": "h", "datatype": datatype, "shape": [1]}
    with pytest.raises(BadRequest, match=f"input 'h': {datatype} does not travel as JSON"):
        parse({"inputs": [{**tensor, "data": [1]}]}, model)
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": 2}}]}).encode()
    with pytest.raises(BadRequest, match=f"output 'h': {datatype} does not travel as JSON; ask for binary_data"):
        v2.parse(head + b"\x00\x3c", model, str(len(head)))


def test_batch_mates_get_the_outputs_that_each_asked_for():
    """R8: what is answered belongs to the request, so no request can change it for another."""
    first = parse({"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": "x"}]})
    second = parse({"inputs": [GOOD_X, GOOD_Y], "outputs": [{"name": "y"}]})
    assert [spec.name for spec, _ in first.outputs] == ["x"]
    assert [spec.name for spec, _ in second.outputs] == ["y"]
