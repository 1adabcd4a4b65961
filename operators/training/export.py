"""The exported model takes what the table holds, scaling included, and the same weights give the same bytes.

ONNX: input `x` FP32 [N, F]; outputs `label` INT64 [N] (the label itself, not its index) and `probabilities` FP32 [N,
K]. This module does not know how the weights came about.
"""

import io
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import ExtraMissing
from windlass.operators.training.network import Layer, Matrix

__all__ = ("Trained", "as_npz", "as_onnx")

# Opset 13 and IR 7 are what ONNX Runtime 1.18, the oldest we allow, reads without doubt; the graph needs nothing newer.
_OPSET: Final = 13
_IR: Final = 7


@attrs.frozen(eq=False)
class Trained:
    """A network of `layers` upon `x / scale`, whose outputs stand for `classes`."""

    layers: tuple[Layer, ...]
    classes: npt.NDArray[np.int64]
    scale: float

    @classmethod
    def linear(cls, weights: Matrix, bias: Matrix, classes: npt.NDArray[np.int64], scale: float) -> "Trained":
        """`softmax((x / scale) @ weights + bias)`."""
        return cls((Layer(weights, bias, rectified=False),), classes, scale)


def as_npz(model: Trained) -> bytes:
    """Arrays in numpy's own format, without compression.

    `classes` and `scale`, `weights` and `bias` of the layer that gives logits, and `weights0`, `bias0` and so on of the
    hidden layers, if there are any.
    """
    arrays: dict[str, Any] = {}
    for suffix, layer in _suffixed(model):
        arrays |= {f"weights{suffix}": layer.weights, f"bias{suffix}": layer.bias}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, classes=model.classes, scale=np.array(model.scale))
    return buffer.getvalue()


def as_onnx(model: Trained) -> bytes:
    """The model as an ONNX graph. Raises ExtraMissing without the library `onnx`."""
    try:
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ExtraMissing("onnx", needed_for="writing the trained model", extra="train") from error
    nodes = [helper.make_node("Mul", ["x", "factor"], ["scaled"])]
    constants = [numpy_helper.from_array(np.array(1.0 / model.scale, dtype=np.float32), "factor")]
    value = "scaled"
    for suffix, layer in _suffixed(model):
        after = f"sums{suffix}" if layer.rectified else "logits"
        nodes.append(helper.make_node("MatMul", [value, f"weights{suffix}"], [f"product{suffix}"]))
        nodes.append(helper.make_node("Add", [f"product{suffix}", f"bias{suffix}"], [after]))
        constants.append(numpy_helper.from_array(layer.weights.astype(np.float32), f"weights{suffix}"))
        constants.append(numpy_helper.from_array(layer.bias.astype(np.float32), f"bias{suffix}"))
        value = after
        if layer.rectified:
            value = f"hidden{suffix}"
            nodes.append(helper.make_node("Relu", [after], [value]))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    nodes.append(helper.make_node("ArgMax", ["logits"], ["index"], axis=1, keepdims=0))
    nodes.append(helper.make_node("Gather", ["classes", "index"], ["label"]))
    graph = helper.make_graph(
        nodes,
        "softmax",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", len(model.layers[0].weights)])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(model.classes)]),
        ],
        [*constants, numpy_helper.from_array(model.classes.astype(np.int64), "classes")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="windlass")
    made.ir_version = _IR
    return bytes(made.SerializeToString(deterministic=True))


def _suffixed(model: Trained) -> list[tuple[str, Layer]]:
    """Each layer with what its names end in; nothing for the one that gives logits, the only one of a linear model."""
    *hidden, last = model.layers
    return [*((str(index), layer) for index, layer in enumerate(hidden)), ("", last)]
