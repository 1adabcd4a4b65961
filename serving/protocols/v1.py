"""The v1 protocol (TensorFlow Serving, KServe): as many predictions as instances, in the same order (V1-2).

An instance is a bare value when the model has one input, or an object with one value for each input. A prediction is
a bare value when the model has one output, an object when it has several: `{"label": 3, "probabilities": [...]}`.
"""

from collections.abc import Mapping

import msgspec

from windlass.serving.errors import BadRequest, ModelFailed
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import Array, decode_rows, encode_rows, parse_json

__all__ = ("parse", "render")


class _Body(msgspec.Struct):
    instances: msgspec.Raw


_BODY = msgspec.json.Decoder(_Body)
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def parse(body: bytes, model: LoadedModel) -> dict[str, Array]:
    """The batch of all instances. Raises BadRequest naming the instance or input that is wrong."""
    for spec in (*model.inputs, *model.outputs):
        if not spec.batched:
            raise BadRequest(
                f"model {model.name!r} takes no batches ({spec.name!r} is {list(spec.shape)}); use the v2 protocol"
            )
    instances = bytes(parse_json(body, _BODY, "").instances).lstrip()
    if not instances.startswith(b"["):
        raise BadRequest('Expected "instances" to be a list')
    first = instances[1:].lstrip()[:1]
    if first == b"]":
        raise BadRequest("instances: expected at least one")
    if first == b"{":
        return _columns(parse_json(instances, _OBJECTS, "instances"), model)
    if len(model.inputs) != 1:
        raise BadRequest(f"instances: expected objects with the inputs {', '.join(spec.name for spec in model.inputs)}")
    return {model.inputs[0].name: decode_rows(instances, model.inputs[0], "instances")}


def render(
    model: LoadedModel, inputs: Mapping[str, Array], *, outputs: Mapping[str, Array], key: str = "predictions"
) -> bytes:
    """`{"predictions": [...]}`, or another `key`.

    Raises ModelFailed when an output has another number of rows, or for what JSON cannot carry.
    """
    columns = [encode_rows(outputs[spec.name], spec) for spec in model.outputs]
    instances = len(inputs[model.inputs[0].name])
    for spec, column in zip(model.outputs, columns, strict=True):
        if len(column) != instances:
            raise ModelFailed(
                f"model {model.name!r}: output {spec.name!r} has {len(column)} rows for {instances} instances"
            )
    if len(columns) == 1:
        return msgspec.json.encode({key: columns[0]})
    names = [spec.name for spec in model.outputs]
    return msgspec.json.encode({key: [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]})


def _columns(instances: list[dict[str, msgspec.Raw]], model: LoadedModel) -> dict[str, Array]:
    expected = {spec.name for spec in model.inputs}
    for index, instance in enumerate(instances):
        if instance.keys() != expected:
            found = ", ".join(sorted(instance)) or "nothing"
            raise BadRequest(f"instances[{index}]: expected the inputs {', '.join(sorted(expected))}; found {found}")
    return {
        spec.name: decode_rows(
            b"[" + b",".join(bytes(one[spec.name]) for one in instances) + b"]", spec, f"instances: {spec.name}"
        )
        for spec in model.inputs
    }
