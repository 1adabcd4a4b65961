"""ONNX files: their description, their answers, and files that are none."""

import sys
from pathlib import Path

import numpy as np
import pytest

from windlass.serving.errors import ModelError, RuntimeMissing
from windlass.serving.model import LoadedModel, checked
from windlass.serving.runtimes import RUNTIMES
from windlass.serving.runtimes.base import Source
from windlass.serving.tensors import TensorSpec


def load(content):
    return RUNTIMES["onnx"].load(Source("digits", "1", Path("model.onnx"), content))


def test_the_description_is_the_sessions(classifier):
    model = load(classifier())
    assert (TensorSpec("x", "FP32", (-1, 64)),) == model.inputs
    assert (TensorSpec("label", "INT64", (-1,)), TensorSpec("probabilities", "FP32", (-1, 10))) == model.outputs
    assert model.platform == "onnx_onnxv1"


def test_it_answers_what_it_describes(classifier):
    model = load(classifier())
    answers = model.predict({"x": np.ones((3, 64), dtype=np.float32)})
    checked(LoadedModel("digits", "1", model), answers)
    assert answers["probabilities"].sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert answers["label"].tolist() == answers["probabilities"].argmax(axis=1).tolist()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x08\x09"])
def test_a_file_that_is_no_model_is_refused_in_one_sentence(content):
    with pytest.raises(ModelError, match=r"model.onnx is not a model that ONNX Runtime can load") as caught:
        load(content)
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_refused(classifier):
    content = classifier()
    with pytest.raises(ModelError):
        load(content[: len(content) // 2])


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissing, match=r"pip install 'windlass\[onnx\]'"):
        load(b"")
