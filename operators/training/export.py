"""The exported model takes what the table holds, scaling included, and the same weights give the same bytes.

ONNX: input `x` FP32 [N, F]; outputs `label` INT64 [N] (the label itself, not its index) and `probabilities` FP32 [N,
K]. This module does not know how the weights came about.
"""

import io
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import ExtraMissing
from windlass.operators.training.softmax import Matrix

__all__ = ("Linear", "as_npz", "as_onnx")

# Opset 13 and IR 7 are what ONNX Runtime 1.18, the oldest we allow, reads without doubt; the graph needs nothing newer.
_OPSET: Final = 13
_IR: Final = 7


@attrs.frozen(eq=False)
class Linear:
    """`softmax((x / scale) @ weights + bias)`, whose columns stand for `classes`."""

    weights: Matrix
    bias: Matrix
    classes: npt.NDArray[np.int64]
    scale: float


def as_npz(model: Linear) -> bytes:
    """The arrays `weights`, `bias`, `classes` and `scale` in numpy's own format, without compression."""
    buffer = io.BytesIO()
    np.savez(buffer, weights=model.weights, bias=model.bias, classes=model.classes, scale=np.float64(model.scale))
    return buffer.getvalue()


def as_onnx(model: Linear) -> bytes:
    """The model as an ONNX graph. Raises ExtraMissing without the library `onnx`."""
    try:
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ExtraMissing("onnx", needed_for="writing the trained model", extra="train") from error
    features, classes = model.weights.shape
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "factor"], ["scaled"]),
            helper.make_node("MatMul", ["scaled", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["logits"], ["index"], axis=1, keepdims=0),
            helper.make_node("Gather", ["classes", "index"], ["label"]),
        ],
        "softmax",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", features])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
        ],
        [
            numpy_helper.from_array(np.array(1.0 / model.scale, dtype=np.float32), "factor"),
            numpy_helper.from_array(model.weights.astype(np.float32), "weights"),
            numpy_helper.from_array(model.bias.astype(np.float32), "bias"),
            numpy_helper.from_array(model.classes.astype(np.int64), "classes"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="windlass")
    made.ir_version = _IR
    return bytes(made.SerializeToString(deterministic=True))
