"""The binary tensor extension: every byte accounted for."""

import contextlib
import json

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest
from windlass.serving.model import LoadedModel
from windlass.serving.protocols import binary, v2
from windlass.serving.tensors import DATATYPES, TensorSpec


@attrs.frozen
class Echo:
    inputs: tuple[TensorSpec, ...]
    name: str = "echo"
    version: str = "1"
    platform: str = "test_test"

    @property
    def outputs(self):
        return self.inputs


def echo(*specs):
    return LoadedModel("echo", "1", Echo(specs))


X = TensorSpec("x", "FP32", (-1, 2))
Y = TensorSpec("y", "BYTES", (-1,))
BLOB_X = np.array([[1, 2]], dtype="<f4").tobytes()
BLOB_Y = b"\x03\x00\x00\x00abc"


def request(*tensors, blobs=b"", header=None, **fields):
    head = json.dumps({"inputs": list(tensors), **fields}).encode()
    return head + blobs, str(len(head)) if header is None else header


def tensor(spec, shape, size):
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape, "parameters": {"binary_data_size": size}}


@given(st.sampled_from([name for name in DATATYPES if name != "BYTES"]), st.integers(1, 20), st.randoms())
def test_every_fixed_datatype_survives_the_way_out_and_back(datatype, count, random):
    """B2, and FP16 and BF16, which only travel so (R12, D5)."""
    dtype = DATATYPES[datatype]
    raw = random.randbytes(count * dtype.itemsize)
    raw = bytes(byte & 1 for byte in raw) if datatype == "BOOL" else raw
    spec = TensorSpec("t", datatype, (-1,))
    assert raw == binary.encode(binary.decode(memoryview(raw), spec, (count,), where="t"), spec)


@given(st.lists(st.binary(max_size=9), min_size=1))
def test_byte_strings_survive_the_way_out_and_back(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    spec = TensorSpec("t", "BYTES", (-1,))
    back = binary.decode(memoryview(binary.encode(array, spec)), spec, (len(values),), where="t")
    assert values == back.tolist()


def test_raw_and_json_inputs_may_be_mixed_and_outputs_chosen_one_by_one():
    """B1, B5, B6."""
    in_json = {"name": "y", "datatype": "BYTES", "shape": [1], "data": ["abc"]}
    body, header = request(
        in_json,
        tensor(X, [1, 2], 8),
        blobs=BLOB_X,
        parameters={"binary_data_output": True},
        outputs=[{"name": "y"}, {"name": "x", "parameters": {"binary_data": False}}],
    )
    model = echo(X, Y)
    parsed = v2.parse(body, model, header)
    rendered = v2.render(model, parsed, parsed.inputs)
    outputs = json.loads(rendered.body[: rendered.header_length])["outputs"]
    assert outputs[0] == {"name": "y", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 7}}
    assert outputs[1]["data"] == [1.0, 2.0]
    assert rendered.body[rendered.header_length :] == BLOB_Y


def test_a_response_without_raw_outputs_is_plain_json():
    """B6."""
    body, header = request(tensor(X, [1, 2], 8), blobs=BLOB_X)
    parsed = v2.parse(body, echo(X), header)
    assert v2.render(echo(X), parsed, parsed.inputs).header_length is None


@pytest.mark.parametrize(
    ("body", "header", "why"),
    [
        pytest.param(*request(tensor(X, [1, 2], 4), blobs=BLOB_X), "4 bytes of data, but FP32", id="size below shape"),
        pytest.param(*request(tensor(X, [1, 2], 8), blobs=BLOB_X[:-1]), "beyond the end of the body", id="cut off"),
        pytest.param(
            *request(tensor(X, [1, 2], 8), blobs=BLOB_X + b"x"), "1 bytes of the body belong to no", id="left over"
        ),
        pytest.param(
            *request(tensor(X, [1, 2], -8), blobs=BLOB_X), "binary_data_size: expected a number", id="negative"
        ),
        pytest.param(
            *request(tensor(X, [1, 2], True), blobs=BLOB_X), "binary_data_size: expected a number", id="boolean"
        ),
        pytest.param(
            *request(tensor(X, [1, 2], "8"), blobs=BLOB_X), "binary_data_size: expected a number", id="string"
        ),
        pytest.param(*request({**tensor(X, [1, 2], 8), "data": [1, 2]}, blobs=BLOB_X), "exactly one of", id="both"),
        pytest.param(*request(tensor(X, [10**12, 2], 8), blobs=BLOB_X), "needs 8000000000000", id="huge shape"),
        pytest.param(*request(header="-1"), "expected a number from 0", id="negative header"),
        pytest.param(*request(header="9999"), "expected a number from 0", id="header beyond the body"),
        pytest.param(*request(header="1.5"), "expected a number from 0", id="fraction in header"),
        pytest.param(*request(header="²"), "expected a number from 0", id="superscript two"),
        pytest.param(*request(header="9" * 5000), "expected a number from 0", id="header too long to be a number"),
        pytest.param(*request(header=""), "expected a number from 0", id="empty header"),
    ],
)
def test_sizes_that_do_not_add_up_are_refused(body, header, why):
    """B3, B4."""
    with pytest.raises(BadRequest, match=why):
        v2.parse(body, echo(X), header)


@pytest.mark.parametrize(
    ("blob", "count", "why"),
    [
        pytest.param(BLOB_Y, 2, "cannot hold 2", id="count"),
        pytest.param(BLOB_Y, 10**12, "cannot hold", id="huge count"),
        pytest.param(b"\x04\x00\x00\x00abc", 1, "element 0 lies beyond", id="length beyond the end"),
        pytest.param(BLOB_Y + b"\x01", 1, "1 bytes are left over", id="left over"),
        pytest.param(BLOB_Y + b"\x01", 2, "element 1 lies beyond", id="half a length"),
    ],
)
def test_byte_strings_that_do_not_add_up_are_refused(blob, count, why):
    with pytest.raises(BadRequest, match=why):
        binary.decode(memoryview(blob), Y, (count,), where="t")


def test_a_boolean_is_a_byte_zero_or_one():
    with pytest.raises(BadRequest, match="byte 0 or 1"):
        binary.decode(memoryview(b"\x02"), TensorSpec("t", "BOOL", (-1,)), (1,), where="t")


def test_a_body_without_json_is_the_single_input_of_one_row():
    """B4: everything is answered raw."""
    parsed = v2.parse(BLOB_X, echo(X), "0")
    assert parsed.inputs["x"].tolist() == [[1.0, 2.0]]
    assert parsed.outputs == ((X, True),)


def test_the_one_free_dimension_of_a_raw_request_follows_from_its_size():
    spec = TensorSpec("t", "UINT16", (-1, 2, -1))
    assert binary.raw_request(memoryview(bytes(12)), (spec,))["t"].shape == (1, 2, 3)
    with pytest.raises(BadRequest, match="13 bytes"):
        binary.raw_request(memoryview(bytes(13)), (spec,))


@pytest.mark.parametrize(
    ("specs", "why"),
    [
        pytest.param((X, Y), "one input; this one has 2", id="two inputs"),
        pytest.param((TensorSpec("t", "FP32", (2, -1, -1)),), "more than one dimension", id="two free dimensions"),
        pytest.param((TensorSpec("t", "BYTES", (-1, 2)),), "one BYTES element", id="two strings a row"),
        pytest.param((X,), "0 bytes of data", id="empty"),
    ],
)
def test_a_raw_request_needs_a_model_whose_shape_it_tells(specs, why):
    with pytest.raises(BadRequest, match=why):
        binary.raw_request(memoryview(b""), specs)


def test_a_raw_request_for_a_string_is_the_string():
    assert binary.raw_request(memoryview(b"abc"), (Y,))["y"].tolist() == [b"abc"]


@given(st.binary(max_size=40), st.text(max_size=4))
def test_no_bytes_end_in_anything_but_an_answer_or_a_bad_request(body, header):
    with contextlib.suppress(BadRequest):
        v2.parse(body, echo(X), header)
