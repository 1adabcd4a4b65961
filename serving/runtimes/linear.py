"""`prediction = bias + weight · x`, row by row: the smallest model there is, and the one that `/predict` answers with.

In a model folder it is a JSON file: `{"bias": 1.5, "weight": -0.8}`; a list of weights makes `x` a vector.
"""

from collections.abc import Mapping, Sequence

import attrs
import msgspec
import numpy as np

from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.model import Model
from windlass.serving.runtimes.base import Source
from windlass.serving.tensors import Array, TensorSpec, parse_json

__all__ = ("LinearModel", "LinearRuntime")


@attrs.frozen
class LinearModel:
    """A linear model over one number a row, or over one vector a row when `weight` is a sequence. FP64 throughout.

    The defaults are those of the example that answers -0.5 for 2.5.
    """

    bias: float = 1.5
    weight: float | Sequence[float] = -0.8
    name: str = "linear"
    version: str = "1"
    platform: str = attrs.field(default="numpy_linear", init=False)
    inputs: tuple[TensorSpec, ...] = attrs.field(init=False)
    outputs: tuple[TensorSpec, ...] = attrs.field(default=(TensorSpec("prediction", "FP64", (-1,)),), init=False)
    explanations: tuple[TensorSpec, ...] = attrs.field(init=False)
    _weight: Array | float = attrs.field(init=False, repr=False, eq=False)

    @inputs.default
    def _inputs(self) -> tuple[TensorSpec, ...]:
        shape = (-1,) if isinstance(self.weight, (int, float)) else (-1, len(self.weight))
        return (TensorSpec("x", "FP64", shape),)

    @explanations.default
    def _explanations(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("contribution", "FP64", self.inputs[0].shape), TensorSpec("bias", "FP64", (-1,)))

    @_weight.default
    def _weight_as_used(self) -> Array | float:
        return float(self.weight) if isinstance(self.weight, (int, float)) else np.array(self.weight, dtype=np.float64)

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """The prediction of each row."""
        x = inputs["x"]
        # What is too large for a number is told to the client by the protocol, not to the server's log by numpy.
        with np.errstate(over="ignore", invalid="ignore"):
            product = x @ self._weight if isinstance(self._weight, np.ndarray) else x * self._weight
            return {"prediction": product + self.bias}

    def explain(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """What each number adds to the prediction; with the bias, that is all of it."""
        x = inputs["x"]
        return {"contribution": x * self._weight, "bias": np.full(len(x), self.bias, dtype=np.float64)}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    bias: float
    weight: float | list[float]


_FILE = msgspec.json.Decoder(_File)


class LinearRuntime:
    """The format `linear`."""

    def load(self, source: Source) -> Model:
        """See Runtime.load."""
        try:
            file = parse_json(source.content, _FILE, source.path.name)
        except BadRequest as error:
            raise ModelError(str(error)) from error
        return LinearModel(file.bias, file.weight, name=source.name, version=source.version)
