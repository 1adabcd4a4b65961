"""`warmup.json` in a version's folder holds requests that the version must answer before it serves (W2).

A list of v2 requests; one that also has `expected`, as `outputs` of a v2 response, must be answered so, within
`tolerance` (relative and absolute, 1e-3 by default) where the datatype is a floating point:

    [{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}],
      "expected": [{"name": "prediction", "datatype": "FP64", "shape": [1], "data": [-0.5]}]}]
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import attrs
import msgspec
import numpy as np

from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.model import LoadedModel
from windlass.serving.protocols import v2
from windlass.serving.repository.reading import read_regular
from windlass.serving.tensors import Array, check_shape, decode_json, parse_json

__all__ = ("RECORDED_FILE", "Recorded", "read_recorded")

RECORDED_FILE = "warmup.json"


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    data: msgspec.Raw


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: msgspec.Raw
    expected: list[_Tensor] = []
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 1e-3


_REQUESTS = msgspec.json.Decoder(list[_Request])


@attrs.frozen
class Recorded:
    """Inputs, and what the answer to them must be; `expected` may name some of the outputs, or none."""

    inputs: Mapping[str, Array] = attrs.field(repr=False)
    expected: Mapping[str, Array] = attrs.field(factory=dict, repr=False)
    tolerance: float = 1e-3

    def differs(self, outputs: Mapping[str, Array]) -> str | None:
        """The name of an output that is not as expected, with how far it is off; None when all are."""
        for name, expected in self.expected.items():
            found = outputs[name]
            if found.shape != expected.shape:
                return f"output {name!r} has shape {list(found.shape)}, expected {list(expected.shape)}"
            if expected.dtype.kind == "f":
                if not np.allclose(found, expected, rtol=self.tolerance, atol=self.tolerance):
                    off = float(np.max(np.abs(found.astype(np.float64) - expected)))
                    return f"output {name!r} is off by {off:g}, more than {self.tolerance:g}"
            elif not np.array_equal(found, expected):
                return f"output {name!r} is {_shown(found)}, expected {_shown(expected)}"
        return None


def read_recorded(folder: Path, model: LoadedModel) -> list[Recorded]:
    """The recorded requests of a version, none when it has none.

    Raises ModelError naming the request and the field that is wrong, OSError when the file cannot be read.
    """
    try:
        content = read_regular(folder / RECORDED_FILE)
    except FileNotFoundError:
        return []
    try:
        requests: list[_Request] = parse_json(content, _REQUESTS, "")
        return [_recorded(one, model, f"[{index}]") for index, one in enumerate(requests)]
    except BadRequest as error:
        raise ModelError(f"{RECORDED_FILE}: {error}") from error


def _recorded(request: _Request, model: LoadedModel, where: str) -> Recorded:
    try:
        inputs = v2.parse(b'{"inputs": ' + bytes(request.inputs) + b"}", model).inputs
        expected = {one.name: _expected(one, model) for one in request.expected}
    except BadRequest as error:
        raise BadRequest(f"{where}: {error}") from error
    return Recorded(inputs, expected, request.tolerance)


def _expected(tensor: _Tensor, model: LoadedModel) -> Array:
    where = f"expected {tensor.name!r}"
    spec = next((one for one in model.outputs if one.name == tensor.name), None)
    if spec is None or spec.datatype != tensor.datatype:
        returned = ", ".join(f"{one.name!r} ({one.datatype})" for one in model.outputs)
        raise BadRequest(f"{where} ({tensor.datatype}): the model returns {returned}")
    shape = tuple(tensor.shape)
    check_shape(spec.shape, shape, where)
    return decode_json(tensor.data, spec, shape, where=where)


def _shown(array: Array) -> str:
    text = str(array.tolist())
    return text if len(text) <= 60 else f"{text[:57]}..."
