"""The judged model is the exported file: its answers are those of the runtime that serves it, its slope its weights'.

A graph that is a chain of matrix products, sums, rectifiers and one softmax is read into a `Network`, whose gradient is
exact. Any other graph is a black box, which is no fault. This module does not know what a check asks.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from windlass.operators.errors import CheckError
from windlass.operators.training.files import sha256_of
from windlass.operators.training.gate.subject import Classifier
from windlass.operators.training.network import Layer, Matrix, Network
from windlass.serving.errors import ServingError
from windlass.serving.runtimes.base import Source
from windlass.serving.runtimes.onnx import OnnxRuntime

__all__ = ("network_of", "onnx_classifier")

_ROWS_AT_ONCE: Final = 4096


def onnx_classifier(content: bytes, classes: Sequence[int]) -> Classifier:
    """The classifier that an ONNX file is: input `x`, output `probabilities`, whose columns stand for `classes`.

    Raises CheckError with the reason ModelUnusable. Without the library `onnx` every model is a black box.
    """
    try:
        model = OnnxRuntime().load(Source("candidate", "1", Path("model.onnx"), content))
    except ServingError as error:
        raise CheckError(f"the model does not load: {error}", reason="ModelUnusable") from error

    def probabilities(features: Matrix) -> Matrix:
        parts = []
        for first in range(0, len(features), _ROWS_AT_ONCE):
            part = features[first : first + _ROWS_AT_ONCE].astype(np.float32)
            try:
                parts.append(model.predict({"x": part})["probabilities"])
            except Exception as error:
                # Whatever the runtime raises, there is no answer to judge.
                raise CheckError(f"the model does not answer: {error}", reason="ModelUnusable") from error
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, len(classes)))

    network = network_of(content)
    labels = np.asarray(classes, dtype=np.int64)
    if network is not None and network.layers[-1].bias.shape != labels.shape:
        raise CheckError(
            f"the model tells {network.layers[-1].bias.shape[-1]} classes apart, and {len(labels)} were named",
            reason="ModelUnusable",
        )
    return Classifier(sha256_of(content), labels, probabilities, None if network is None else network.gradient)


def network_of(content: bytes) -> Network | None:
    """The network that the graph's `probabilities` are computed by, None for one that is not such a chain."""
    try:
        import onnx  # noqa: PLC0415  (an extra)
        from onnx import numpy_helper  # noqa: PLC0415  (an extra)
    except ImportError:
        return None
    try:
        graph = onnx.load_model_from_string(content).graph
    except Exception:  # protobuf's errors share no root; the runtime has its say about the file
        return None
    constants = {one.name: numpy_helper.to_array(one).astype(np.float64) for one in graph.initializer if _is_real(one)}
    return _Chain({one.output[0]: one for one in graph.node if len(one.output) == 1}, constants).read("probabilities")


class _Chain:
    """Reads a graph from its end to the input `x`; each step must have exactly one value that is no constant."""

    def __init__(self, made_by: dict[str, Any], constants: dict[str, Matrix]) -> None:
        self._made_by = made_by
        self._constants = constants

    def read(self, output: str) -> Network | None:
        steps = self._steps(output)
        if steps is None or not steps or steps[-1][0] != "Softmax":
            return None
        factor, rest = 1.0, steps[:-1]
        if rest and rest[0][0] == "Mul" and rest[0][1] is not None and rest[0][1].size == 1:
            factor, rest = float(rest[0][1].reshape(())), rest[1:]
        layers: list[Layer] = []
        for operator, constant in rest:
            match operator:
                case "MatMul" if constant is not None and constant.ndim == 2:
                    layers.append(Layer(constant, np.zeros(constant.shape[1]), rectified=False))
                case "Add" if constant is not None and _fits(layers, constant):
                    layers[-1] = attrs.evolve(layers[-1], bias=layers[-1].bias + np.ravel(constant))
                case "Relu" if layers and not layers[-1].rectified:
                    layers[-1] = attrs.evolve(layers[-1], rectified=True)
                case _:
                    return None
        joined = all(one.weights.shape[1] == two.weights.shape[0] for one, two in itertools.pairwise(layers))
        return Network(tuple(layers), factor) if layers and joined and not layers[-1].rectified else None

    def _steps(self, output: str) -> list[tuple[str, Matrix | None]] | None:
        """Operators and their constants from the input on; None when there is no such chain."""
        steps: list[tuple[str, Matrix | None]] = []
        name = output
        while name != "x":
            node = self._made_by.pop(name, None)  # a graph has no cycles, and a broken one ends here
            if node is None or not _is_plain(node):
                return None
            values = [one for one in node.input if one not in self._constants]
            constants = [self._constants[one] for one in node.input if one in self._constants]
            # A matrix is multiplied from the right, or this is another network.
            if len(values) != 1 or len(constants) > 1 or (node.op_type == "MatMul" and node.input[0] != values[0]):
                return None
            steps.append((node.op_type, constants[0] if constants else None))
            name = values[0]
        return steps[::-1]


def _is_plain(node: Any) -> bool:
    """Whether the operator does what its name says along the last axis, with nothing that would change it."""
    for attribute in node.attribute:
        if node.op_type != "Softmax" or attribute.name != "axis" or attribute.i not in (1, -1):
            return False
    return node.domain in ("", "ai.onnx")


def _is_real(tensor: Any) -> bool:
    return int(tensor.data_type) in (1, 11)  # TensorProto.FLOAT and DOUBLE


def _fits(layers: list[Layer], constant: Matrix) -> bool:
    """Whether a sum is the bias of the last layer, which has not been rectified yet."""
    return (
        bool(layers)
        and not layers[-1].rectified
        and constant.size == layers[-1].bias.size
        and constant.shape[-1:] == layers[-1].bias.shape
    )
