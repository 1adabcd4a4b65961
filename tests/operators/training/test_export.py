"""The exported file: it answers as the weights do, takes raw values, and is the same bytes for the same weights."""

import io
import itertools

import numpy as np
import onnx
import onnxruntime
import pytest

from windlass.operators.training.export import Trained, as_npz, as_onnx
from windlass.operators.training.gate.classifiers import network_of
from windlass.operators.training.network import Layer


def model():
    rng = np.random.default_rng(3)
    return Trained.linear(rng.normal(size=(64, 10)), rng.normal(size=10), np.arange(10) * 10, 16.0)


def deep():
    rng = np.random.default_rng(5)
    widths = (64, 12, 7, 10)
    layers = tuple(
        Layer(rng.normal(size=(inputs, outputs)), rng.normal(size=outputs), rectified=outputs != 10)
        for inputs, outputs in itertools.pairwise(widths)
    )
    return Trained(layers, np.arange(10) * 10, 16.0)


def run(content, x):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.astype(np.float32)})


@pytest.mark.parametrize("rows", [1, 7])
def test_onnx_answers_labels_and_probabilities_for_raw_values(rows):
    linear = model()
    x = np.random.default_rng(4).integers(0, 17, (rows, 64)).astype(float)
    (layer,) = linear.layers
    logits = x / 16.0 @ layer.weights + layer.bias
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
        (layer,) = linear.layers
        assert np.array_equal(layer.weights, archive["weights"])
        assert np.array_equal(layer.bias, archive["bias"])
        assert (linear.classes.tolist(), 16.0) == (archive["classes"].tolist(), float(archive["scale"]))


def test_a_deep_network_answers_as_its_arrays_do_and_can_be_read_back():
    trained = deep()
    x = np.random.default_rng(6).integers(-16, 17, (40, 64)).astype(float)
    read = network_of(as_onnx(trained))
    expected = read.probabilities(x)
    with np.load(io.BytesIO(as_npz(trained)), allow_pickle=False) as archive:
        hidden = np.maximum(x / 16.0 @ archive["weights0"] + archive["bias0"], 0)
        hidden = np.maximum(hidden @ archive["weights1"] + archive["bias1"], 0)
        logits = hidden @ archive["weights"] + archive["bias"]

    label, probabilities = run(as_onnx(trained), x)

    onnx.checker.check_model(onnx.load_from_string(as_onnx(trained)), full_check=True)
    assert np.allclose(expected, probabilities, atol=1e-5)
    assert (trained.classes[logits.argmax(axis=1)] == label).all()
    assert len(set(label.tolist())) > 3
    assert [layer.rectified for layer in read.layers] == [True, True, False]
