"""The gRPC form of the v2 protocol: a request's tensors are all raw or all typed, and so is its answer (G1, G2).

Decisions the specification leaves open: an answer is raw, too, when one of its outputs has no typed contents; an id is
always answered, echoed or made up (D3); a parameter without a value is refused (R14).
"""

from collections.abc import Callable, Mapping
from typing import Any

from windlass.serving.errors import BadRequest
from windlass.serving.grpc import contents
from windlass.serving.grpc.messages import ONEOF, message
from windlass.serving.model import LoadedModel
from windlass.serving.protocols import binary
from windlass.serving.protocols.request import (
    InferRequest,
    check_inputs,
    choose_outputs,
    input_spec,
    new_id,
    refuse_classification,
)
from windlass.serving.tensors import Array

__all__ = ("parse", "render")

_RESPONSE = message("ModelInferResponse")


def parse(request: Any, model: LoadedModel) -> InferRequest:
    """Check and decode a `ModelInferRequest`. Raises BadRequest: `<which input>: <why>` (R9)."""
    _check_parameters(request.parameters, "parameters")
    inputs = _inputs(request, model)
    for output in request.outputs:
        refuse_classification(output.name, output.parameters)
        _check_parameters(output.parameters, f"output {output.name!r}")
    specs = choose_outputs(model, [output.name for output in request.outputs])
    raw = bool(request.raw_input_contents) or any(spec.datatype not in contents.FIELDS for spec in specs)
    parameters = {name: getattr(one, one.WhichOneof(ONEOF)) for name, one in request.parameters.items()}
    return InferRequest(inputs, tuple((spec, raw) for spec in specs), request.id or None, parameters)


def render(
    model: LoadedModel, request: InferRequest, outputs: Mapping[str, Array], *, new_id: Callable[[], object] = new_id
) -> Any:
    """The `ModelInferResponse`."""
    identifier = request.id if request.id is not None else str(new_id())
    response = _RESPONSE(model_name=model.name, model_version=model.version, id=identifier)
    if request.variant is not None:
        response.parameters["variant"].string_param = request.variant
    for spec, raw in request.outputs:
        array = outputs[spec.name]
        tensor = response.outputs.add(name=spec.name, datatype=spec.datatype, shape=array.shape)
        if raw:
            response.raw_output_contents.append(binary.encode(array, spec))
        else:
            contents.encode(array, spec, tensor.contents)
    return response


def _inputs(request: Any, model: LoadedModel) -> dict[str, Array]:
    blobs = request.raw_input_contents
    if blobs and len(blobs) != len(request.inputs):
        raise BadRequest(f"raw_input_contents: {len(blobs)} buffers for {len(request.inputs)} inputs")
    inputs: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        where = f"input {tensor.name!r}"
        spec = input_spec(model, tensor.name, datatype=tensor.datatype, taken=inputs)
        _check_parameters(tensor.parameters, where)
        shape = tuple(tensor.shape)
        if not blobs:
            inputs[tensor.name] = contents.decode(tensor.contents, spec, shape, where=where)
        elif tensor.contents.ListFields():
            raise BadRequest(f"{where}: has contents beside raw_input_contents; expected one of the two for all inputs")
        else:
            inputs[tensor.name] = binary.decode(memoryview(blobs[index]), spec, shape, where=where)
    check_inputs(model, inputs)
    return inputs


def _check_parameters(parameters: Mapping[str, Any], where: str) -> None:
    for name, parameter in parameters.items():
        if parameter.WhichOneof(ONEOF) is None:
            raise BadRequest(f"{where}: parameter {name!r} has no value")
