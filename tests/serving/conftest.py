"""What several test modules build models from: a version folder as a publisher writes it, and a tiny ONNX file."""

import hashlib
import json
from pathlib import Path

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from windlass.serving.tensors import TensorSpec


def _publish(root: Path, name: str, version: int, content: bytes = b'{"bias": 1.5, "weight": -0.8}', **changes) -> Path:
    """Write `root/name/version` under a dotted name, then rename it; `changes` replace fields of model.json."""
    folder = root / name / f".{version}.partial"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(content)
    description = {"format": "linear", "file": "model.bin", "sha256": hashlib.sha256(content).hexdigest(), **changes}
    (folder / "model.json").write_text(json.dumps(description))
    return folder.rename(root / name / str(version))


def _classifier(seed: int = 1, features: int = 64, classes: int = 10) -> bytes:
    """A softmax classifier as the trainer writes it: x FP32 [-1, features] to label INT64 and probabilities FP32."""
    rng = np.random.default_rng(seed)
    weights = numpy_helper.from_array(rng.normal(size=(features, classes)).astype(np.float32), "weights")
    bias = numpy_helper.from_array(rng.normal(size=classes).astype(np.float32), "bias")
    nodes = [
        helper.make_node("Gemm", ["x", "weights", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", classes]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", features])]
    graph = helper.make_graph(nodes, "classifier", inputs, outputs, [weights, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@attrs.frozen
class _Echo:
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


@pytest.fixture(scope="session")
def echo():
    """A model of the given tensors that answers what it is sent."""
    return lambda *specs: _Echo(specs)


@pytest.fixture
def publish():
    return _publish


@pytest.fixture
def classifier():
    return _classifier
