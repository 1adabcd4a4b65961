"""The plain protocol of `/predict`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import BadRequest
from windlass.serving.model import LoadedModel
from windlass.serving.protocols.predict import parse, render
from windlass.serving.runtimes.linear import LinearModel

LINEAR = LoadedModel("linear", "1", LinearModel(1.5, -0.8))
VECTOR = LoadedModel("linear", "1", LinearModel(1.0, (1.0, 2.0)))


def answer(body, model=LINEAR):
    return json.loads(render(model, model.model.predict(parse(body, model))))


def test_the_linear_example():
    assert answer(b'{"x": 2.5}') == {"prediction": -0.5}


def test_an_integer_is_a_number():
    assert {key: round(value, 12) for key, value in answer(b'{"x": 2}').items()} == {"prediction": -0.1}


def test_a_vector_input_takes_a_list():
    assert answer(b'{"x": [3, 4]}', VECTOR) == {"prediction": 12.0}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", "body: empty", id="empty"),
        pytest.param(b"{", "body: not JSON", id="cut off"),
        pytest.param(b"x=2.5", "body: not JSON", id="a form"),
        pytest.param(b"[2.5]", "body: expected object, got array", id="array"),
        pytest.param(b"2.5", "body: expected object, got number", id="number"),
        pytest.param(b"null", "body: expected object, got null", id="null"),
        pytest.param(b"{}", "x: missing", id="missing"),
        pytest.param(b'{"X": 1}', "x: missing", id="wrong case"),
        pytest.param(b'{"x": "2.5"}', "x: expected number, got string", id="string"),
        pytest.param(b'{"x": true}', "x: expected number, got boolean", id="boolean"),
        pytest.param(b'{"x": null}', "x: expected number, got null", id="null value"),
        pytest.param(b'{"x": [1]}', "x: expected number, got array", id="list"),
        pytest.param(b'{"x": {}}', "x: expected number, got object", id="object"),
        pytest.param(b'{"x": NaN}', "x: expected a finite number, got nan", id="NaN"),
        pytest.param(b'{"x": -Infinity}', "x: expected a finite number, got -inf", id="infinity"),
        pytest.param(b'{"x": 1e400}', "x: number out of range", id="overflow"),
        pytest.param(b'{"x": 1, "y": 2}', "y: unknown; expected x", id="unknown field"),
        pytest.param(b'{"x": 1} {"x": 2}', "body: not JSON", id="two documents"),
        pytest.param(b'{"x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "body: nested too deeply", id="deep"),
        pytest.param(b'\xff{"x": 1}', "body: not JSON", id="not UTF-8"),
    ],
)
def test_a_bad_body_is_refused_by_field(body, why):
    with pytest.raises(BadRequest, match=f"^{why}"):
        parse(body, LINEAR)


@given(st.binary(max_size=60))
def test_no_bytes_end_in_anything_but_an_answer_or_a_bad_request(body):
    try:
        inputs = parse(body, LINEAR)
    except BadRequest:
        return
    assert inputs["x"].shape == (1,)
