"""The plain protocol: an object with one value for each input, and an object with one value for each output.

One row, no envelope.

{"x": 2.5}  ->  {"prediction": -0.5}
"""

import json
import math
from collections.abc import Mapping

import msgspec

from windlass.serving.errors import BadRequest
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import Array, decode_one, encode_rows, parse_json

__all__ = ("parse", "render")

_BODY = msgspec.json.Decoder(dict[str, msgspec.Raw])

# A body that is not JSON is read once more to find the field that is NaN; there is no point in doing that with a
# large one.
_EXPLAINED_UP_TO_BYTES = 65536


def parse(body: bytes, model: LoadedModel) -> dict[str, Array]:
    """One row for each input. Raises BadRequest naming the field that is missing, unknown or not a number."""
    try:
        fields: dict[str, msgspec.Raw] = parse_json(body, _BODY, "")
    except BadRequest:
        _raise_if_not_finite(body)
        raise
    inputs: dict[str, Array] = {}
    for spec in model.inputs:
        raw = fields.pop(spec.name, None)
        if raw is None:
            raise BadRequest(f"{spec.name}: missing")
        inputs[spec.name] = decode_one(raw, spec, spec.name)
    if fields:
        raise BadRequest(f"{min(fields)}: unknown; expected {', '.join(spec.name for spec in model.inputs)}")
    return inputs


def render(model: LoadedModel, outputs: Mapping[str, Array]) -> bytes:
    """The object of the outputs' first rows. Raises ModelFailed for what JSON cannot carry."""
    answer: dict[str, object] = {}
    for spec in model.outputs:
        array = outputs[spec.name]
        answer[spec.name] = encode_rows(array, spec)[0] if spec.batched else encode_rows(array[None], spec)[0]
    return msgspec.json.encode(answer)


def _raise_if_not_finite(body: bytes) -> None:
    """JSON has no NaN and no infinity, but the commonest writers of JSON write them; say which field it was."""
    if len(body) > _EXPLAINED_UP_TO_BYTES:
        return
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadRequest(f"{name}: expected a finite number, got {value}")
