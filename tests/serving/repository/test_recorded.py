"""Recorded requests: what they must say, and what a version must answer."""

import json

import pytest

from windlass.serving.errors import ModelError
from windlass.serving.model import LoadedModel
from windlass.serving.repository.recorded import read_recorded
from windlass.serving.repository.warmup import answer_recorded
from windlass.serving.runtimes.linear import LinearModel

MODEL = LoadedModel("m", "1", LinearModel())


def tensor(name, *values, **changes):
    return {"name": name, "datatype": "FP64", "shape": [len(values)], "data": list(values), **changes}


def answered(folder, *requests):
    (folder / "warmup.json").write_text(json.dumps(requests))
    recorded = read_recorded(folder, MODEL)
    answer_recorded(MODEL, recorded)
    return recorded


def test_a_version_without_the_file_has_none(tmp_path):
    assert read_recorded(tmp_path, MODEL) == []


def test_requests_are_answered_and_compared(tmp_path):
    """W2."""
    expected = [tensor("prediction", -0.5)]
    request, plain = answered(
        tmp_path, {"inputs": [tensor("x", 2.5)], "expected": expected}, {"inputs": [tensor("x", 1)]}
    )
    assert request.inputs["x"].tolist() == [2.5]
    assert plain.expected == {}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"inputs": [tensor("y", 1)]}, r"\[0\]: input 'y': unknown"),
        ({"inputs": 3}, r"warmup.json: \[0\]: inputs: expected array"),
        ({}, r"warmup.json: \[0\]: object missing required field inputs"),
        ({"inputs": [tensor("x", 1)], "expcted": []}, "unknown field expcted"),
        (
            {"inputs": [tensor("x", 1)], "expected": [tensor("z", 1)]},
            r"'z' \(FP64\): the model returns 'prediction' \(FP64\)",
        ),
        (
            {"inputs": [tensor("x", 1)], "expected": [tensor("prediction", 1, shape=[1, 1])]},
            r"expected 'prediction': shape",
        ),
        (
            {"inputs": [tensor("x", 1)], "expected": [tensor("prediction", 0.6)]},
            r"request 0: output 'prediction' is off by 0.1",
        ),
        ({"inputs": [tensor("x", 1)], "expected": [tensor("prediction", 1, 2)]}, r"has shape \[1\], expected \[2\]"),
        ({"inputs": [tensor("x", 1)], "tolerance": -1}, r"tolerance: expected"),
    ],
)
def test_a_mistake_and_a_wrong_answer_are_named(tmp_path, request_, why):
    with pytest.raises(ModelError, match=why):
        answered(tmp_path, request_)


def test_a_wider_tolerance_lets_pass(tmp_path):
    answered(tmp_path, {"inputs": [tensor("x", 1)], "expected": [tensor("prediction", 0.6)], "tolerance": 0.2})
