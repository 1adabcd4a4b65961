"""Numbers from outside: what is taken, what is refused, and that nothing is changed on the way."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest, NotInJson
from windlass.serving.tensors import (
    DATATYPES,
    TensorSpec,
    check_shape,
    decode_json,
    decode_rows,
    encode_json,
    encode_rows,
)

INTEGERS = [name for name in DATATYPES if "INT" in name]


def elements(datatype):
    if datatype == "BOOL":
        return st.booleans()
    if datatype == "BYTES":
        return st.text(st.characters(codec="utf-8"), max_size=5)
    if datatype in ("FP32", "FP64"):
        return st.floats(width=32 if datatype == "FP32" else 64, allow_nan=False, allow_infinity=False)
    information = np.iinfo(DATATYPES[datatype])
    return st.integers(int(information.min), int(information.max))


def array_of(values, datatype):
    if datatype == "BYTES":
        array = np.empty(len(values), dtype=object)
        array[:] = [value.encode() for value in values]
        return array
    return np.array(values, dtype=DATATYPES[datatype])


@st.composite
def tensors(draw):
    datatype = draw(st.sampled_from([name for name in DATATYPES if name not in ("FP16", "BF16")]))
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    count = math.prod(shape)
    values = draw(st.lists(elements(datatype), min_size=count, max_size=count))
    return TensorSpec("t", datatype, (-1,) * len(shape)), array_of(values, datatype).reshape(shape)


@given(tensors())
def test_every_tensor_survives_the_way_to_json_and_back(tensor):
    """R12, R15: also 64-bit integers beyond what a double holds."""
    spec, array = tensor
    raw = msgspec.json.encode(encode_json(array, spec))
    back = decode_json(raw, spec, array.shape, where="t")
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


@given(tensors())
def test_nested_and_flat_data_give_the_same_tensor(tensor):
    """D7."""
    spec, array = tensor
    rows = encode_rows(array, spec)
    nested = msgspec.json.encode(rows)
    assert decode_json(nested, spec, array.shape, where="t").tolist() == array.tolist()
    assert decode_rows(nested, spec, "t").tolist() == array.tolist()
    assert len(rows) == array.shape[0]


def test_float32_is_written_with_its_own_digits_while_it_is_small():
    spec = TensorSpec("t", "FP32", (-1,))
    values = np.array([0.1, 1e-45, 3.4028235e38, -0.0, 123456.7], dtype=np.float32)
    assert msgspec.json.encode(encode_json(values, spec)) == b"[0.1,1e-45,3.4028235e+38,-0.0,123456.7]"


def test_float32_keeps_its_value_when_there_are_many():
    values = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    written = json.loads(msgspec.json.encode(encode_json(values, TensorSpec("t", "FP32", (-1,)))))
    assert np.array(written, dtype=np.float32).tolist() == values.tolist()


@pytest.mark.parametrize("datatype", INTEGERS)
def test_an_integer_one_beyond_either_end_is_refused(datatype):
    information = np.iinfo(DATATYPES[datatype])
    spec = TensorSpec("t", datatype, (-1,))
    for value in (int(information.min) - 1, int(information.max) + 1):
        with pytest.raises(BadRequest, match="t"):
            decode_json(b"[%d]" % value, spec, (1,), where="t")


@pytest.mark.parametrize(
    ("datatype", "data", "why"),
    [
        pytest.param("FP32", b'[1, "a"]', r"data\[1\]: expected number, got string", id="string in numbers"),
        pytest.param("FP32", b"[1, true]", r"data\[1\]: expected number, got boolean", id="boolean in numbers"),
        pytest.param("FP32", b"[1, null]", r"data\[1\]: expected number, got null", id="null in numbers"),
        pytest.param("FP32", b"[1, NaN]", "not JSON", id="NaN"),
        pytest.param("FP32", b"[1, -Infinity]", "not JSON", id="infinity"),
        pytest.param("FP32", b"[1, 1e39]", "does not fit into FP32", id="too large for 32 bits"),
        pytest.param("FP64", b"[1, 1e400]", "out of range", id="too large for 64 bits"),
        pytest.param("INT32", b"[1, 1.5]", "expected integer, got number", id="fraction in integers"),
        pytest.param("INT32", b"[1, true]", "expected integer, got boolean", id="boolean in integers"),
        pytest.param("BOOL", b"[true, 1]", "expected boolean, got integer", id="one for true"),
        pytest.param("BOOL", b'[true, "true"]', "expected boolean, got string", id="word for true"),
        pytest.param("BYTES", b'["a", 1]', "expected string, got integer", id="number in bytes"),
        pytest.param("BYTES", b'["a", "\xff"]', "not JSON", id="not UTF-8"),
        pytest.param("FP32", b"[1]", r"1 elements, but shape \[2\] needs 2", id="too few"),
        pytest.param("FP32", b"[1, 2, 3]", r"3 elements, but shape \[2\] needs 2", id="too many"),
        pytest.param("FP32", b"[]", r"0 elements, but shape \[2\] needs 2", id="none"),
        pytest.param("FP32", b"1", "must be a JSON array", id="scalar"),
        pytest.param("FP32", b'{"0": 1}', "must be a JSON array", id="object"),
        pytest.param("FP32", b"[[1], [2]]", "expected number, got array", id="nested deeper than the shape"),
        pytest.param("FP16", b"[1, 2]", "FP16 does not travel as JSON", id="half precision"),
    ],
)
def test_bad_data_is_refused_with_the_place_and_the_reason(datatype, data, why):
    """R9."""
    with pytest.raises(BadRequest, match=f"input 't': .*{why}"):
        decode_json(data, TensorSpec("t", datatype, (-1,)), (2,), where="input 't'")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"[[1, 2], [3]]", "row 1 has 1 elements where 2", id="ragged"),
        pytest.param(b"[[1, 2]]", "has 1 rows", id="too few rows"),
        pytest.param(b"[[1, 2], 3]", "expected array, got integer", id="mixed"),
        pytest.param(b"[[1, 2, 3], [4]]", "row 0 has 3", id="right count in all"),
    ],
)
def test_nested_data_must_have_exactly_the_shape(data, why):
    with pytest.raises(BadRequest, match=why):
        decode_json(data, TensorSpec("t", "FP32", (-1, 2)), (2, 2), where="t")


@pytest.mark.parametrize("shape", [(0,), (-1,), (-(10**30),), (2**63,), (1, 1), ()])
def test_a_shape_that_no_tensor_has_is_refused(shape):
    with pytest.raises(BadRequest, match="shape"):
        check_shape((-1,), shape, "t")


def test_a_fixed_dimension_must_be_met():
    check_shape((-1, 4), (3, 4), "t")
    with pytest.raises(BadRequest, match=r"\[3, 5\] does not fit \[-1, 4\]"):
        check_shape((-1, 4), (3, 5), "t")


@pytest.mark.parametrize("shape", [(10**9, 10**6), (2**63 - 1, 2**63 - 1)])
def test_a_huge_shape_is_refused_before_anything_is_allocated(shape):
    with pytest.raises(BadRequest, match="1 elements, but shape"):
        decode_json(b"[1]", TensorSpec("t", "FP32", (-1, -1)), shape, where="t")


def test_deep_nesting_is_refused_and_does_not_end_the_interpreter():
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(BadRequest):
        decode_json(deep, TensorSpec("t", "FP32", (-1, -1)), (1, 1), where="t")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_a_result_that_json_cannot_carry_is_an_error_of_the_model(datatype, value):
    array = np.array([1, value], dtype=DATATYPES[datatype])
    with pytest.raises(NotInJson, match="output 't': holds NaN or infinity"):
        encode_json(array, TensorSpec("t", datatype, (-1,)))


def test_bytes_that_are_not_text_do_not_travel_as_json():
    """R13."""
    array = np.array([b"\xff"], dtype=object)
    with pytest.raises(NotInJson, match="not UTF-8"):
        encode_json(array, TensorSpec("t", "BYTES", (-1,)))


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_precision_results_do_not_travel_as_json(datatype):
    with pytest.raises(NotInJson, match=f"output 't': {datatype} does not"):
        encode_json(np.zeros(1, dtype=DATATYPES[datatype]), TensorSpec("t", datatype, (-1,)))


@pytest.mark.parametrize("raw", [b"[]", b"[[]]"])
def test_no_rows_are_refused(raw):
    with pytest.raises(BadRequest, match="at least one"):
        decode_rows(raw, TensorSpec("t", "FP32", (-1, 2)), "t")


def test_an_unknown_datatype_cannot_be_described():
    with pytest.raises(ValueError, match="FP8"):
        TensorSpec("t", "FP8", (-1,))
