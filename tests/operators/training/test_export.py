"""The exported file: it answers as the weights do, takes raw values, and is the same bytes for the same weights."""

import io

import numpy as np
import onnx
import onnxruntime
import pytest

from windlass.operators.training.export import Linear, as_npz, as_onnx


def model():
    rng = np.random.default_rng(3)
    return Linear(rng.normal(size=(64, 10)), rng.normal(size=10), np.arange(10) * 10, 16.0)


def run(content, x):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.astype(np.float32)})


@pytest.mark.parametrize("rows", [1, 7])
def test_onnx_answers_labels_and_probabilities_for_raw_values(rows):
    linear = model()
    x = np.random.default_rng(4).integers(0, 17, (rows, 64)).astype(float)
    logits = x / 16.0 @ linear.weights + linear.bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    label, probabilities = run(as_onnx(linear), x)

    assert linear.classes[logits.argmax(axis=1)].tolist() == label.tolist()
    assert np.allclose(expected, probabilities, atol=1e-5)
    assert (np.int64, np.float32) == (label.dtype, probabilities.dtype)


def test_the_graph_is_valid_and_describes_its_tensors():
    made = onnx.load_from_string(as_onnx(model()))

    onnx.checker.check_model(made, full_check=True)
    described = {
        value.name: [dimension.dim_param or dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*made.graph.input, *made.graph.output)
    }
    assert described == {"x": ["N", 64], "label": ["N"], "probabilities": ["N", 10]}


def test_the_same_weights_give_the_same_bytes():
    assert as_onnx(model()) == as_onnx(model())
    assert as_npz(model()) == as_npz(model())


def test_npz_holds_the_arrays_in_full_precision():
    linear = model()

    with np.load(io.BytesIO(as_npz(linear)), allow_pickle=False) as archive:
        assert np.array_equal(linear.weights, archive["weights"])
        assert np.array_equal(linear.bias, archive["bias"])
        assert (linear.classes.tolist(), 16.0) == (archive["classes"].tolist(), float(archive["scale"]))
