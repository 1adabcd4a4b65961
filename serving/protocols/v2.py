"""The v2 protocol: a request names every input once, and gets the outputs it asked for, in that order (R7-R9, R14).

It is the Open Inference Protocol over HTTP.

Decisions the specification leaves open: `id` is always answered, echoed or made up (D3); `null` for an optional field
counts as absent; a requested output of a kind we do not have (`classification`) is refused rather than ignored; a
result that JSON cannot carry is a 400 that asks for `binary_data`, since another request for the same result succeeds.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from types import MappingProxyType

import msgspec

from windlass.serving.errors import BadRequest, NotInJson
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
from windlass.serving.tensors import Array, TensorSpec, decode_json, encode_json, parse_json

__all__ = ("EXTENSIONS", "HEADER_LENGTH", "Rendered", "metadata", "parse", "render", "server_metadata")

# Exactly what is implemented, in Triton's spelling, which clients look for (R5).
EXTENSIONS = ("binary_tensor_data",)

HEADER_LENGTH = "Inference-Header-Content-Length"

_NONE: Mapping[str, object] = MappingProxyType({})

_Parameters = dict[str, str | int | float | bool] | None


class _Input(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: _Parameters = None


class _Output(msgspec.Struct):
    name: str
    parameters: _Parameters = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    outputs: list[_Output] | None = None
    parameters: _Parameters = None


_REQUEST = msgspec.json.Decoder(_Request)
_JSON = msgspec.json.Encoder()
_JSON_HEADERS: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


class Rendered(msgspec.Struct, frozen=True):
    """A response body.

    `header_length` is the length of its JSON part when raw tensors follow it, None when it is JSON alone (B6).
    """

    body: bytes
    header_length: int | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What belongs to the body in a response."""
        if self.header_length is None:
            return _JSON_HEADERS
        return {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(self.header_length)}


def parse(body: bytes, model: LoadedModel, header_length: str | None = None) -> InferRequest:
    """Check and decode.

    Raises BadRequest: `<which input>: <why>` (R9). `header_length` is the extension's header, None without it.
    """
    blobs = memoryview(b"")
    if header_length is not None:
        body, blobs = binary.split(body, header_length)
        if not body:
            return InferRequest(binary.raw_request(blobs, model.inputs), tuple((spec, True) for spec in model.outputs))
    request: _Request = parse_json(body, _REQUEST, "")
    inputs = _inputs(request.inputs, model, blobs)
    return InferRequest(inputs, _outputs(request, model), request.id, request.parameters or _NONE)


def render(
    model: LoadedModel, request: InferRequest, outputs: Mapping[str, Array], *, new_id: Callable[[], object] = new_id
) -> Rendered:
    """The response. Raises BadRequest for what JSON cannot carry, because asking for raw bytes mends it."""
    tensors: list[dict[str, object]] = []
    blobs: list[bytes] = []
    for spec, raw in request.outputs:
        array = outputs[spec.name]
        tensor: dict[str, object] = {"name": spec.name, "datatype": spec.datatype, "shape": array.shape}
        if raw:
            blobs.append(binary.encode(array, spec))
            tensor["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            tensor["data"] = _in_json(array, spec)
        tensors.append(tensor)
    identifier = request.id if request.id is not None else str(new_id())
    answer: dict[str, object] = {
        "id": identifier,
        "model_name": model.name,
        "model_version": model.version,
        "outputs": tensors,
    }
    if request.variant is not None:
        answer["parameters"] = {"variant": request.variant}
    header = _JSON.encode(answer)
    if not blobs:
        return Rendered(header)
    return Rendered(b"".join((header, *blobs)), len(header))


def server_metadata(*, control: bool = False) -> dict[str, object]:
    """The server's metadata (R5). With `control` models can be loaded and unloaded by request."""
    extensions = [*EXTENSIONS, *(("model_repository", "model_repository(unload_dependents)") if control else ())]
    return {"name": "windlass", "version": _version(), "extensions": extensions}


def metadata(model: LoadedModel, versions: Sequence[str] = ()) -> dict[str, object]:
    """The model's metadata (R6), with all `versions` of it that serve, its own if none are given.

    Labels and the metadata of its folder are `properties`.
    """
    properties = dict(model.metadata)
    if model.labels:
        properties["labels"] = ",".join(model.labels)
    answer: dict[str, object] = {
        "name": model.name,
        "versions": list(versions) or [model.version],
        "platform": model.platform,
        "inputs": [spec.to_dict() for spec in model.inputs],
        "outputs": [spec.to_dict() for spec in model.outputs],
    }
    return {**answer, "properties": properties} if properties else answer


@cache
def _version() -> str:
    try:
        return distribution_version("windlass")
    except PackageNotFoundError:
        return "unknown"


def _inputs(tensors: list[_Input], model: LoadedModel, blobs: memoryview) -> dict[str, Array]:
    inputs: dict[str, Array] = {}
    position = 0
    for tensor in tensors:
        where = f"input {tensor.name!r}"
        spec = input_spec(model, tensor.name, datatype=tensor.datatype, taken=inputs)
        size = _blob_size(tensor, where)
        shape = tuple(tensor.shape)
        if size is None:
            assert tensor.data is not msgspec.UNSET
            inputs[tensor.name] = decode_json(tensor.data, spec, shape, where=where)
        elif position + size > len(blobs):
            raise BadRequest(f"{where}: binary_data_size {size} reaches beyond the end of the body")
        else:
            inputs[tensor.name] = binary.decode(blobs[position : position + size], spec, shape, where=where)
            position += size
    check_inputs(model, inputs)
    if position != len(blobs):
        raise BadRequest(f"{len(blobs) - position} bytes of the body belong to no input")
    return inputs


def _in_json(array: Array, spec: TensorSpec) -> list[object] | msgspec.Raw:
    try:
        return encode_json(array, spec)
    except NotInJson as error:
        raise BadRequest(f"{error}; ask for binary_data") from error


def _blob_size(tensor: _Input, where: str) -> int | None:
    """The size of the tensor's raw buffer; None when its data is in the JSON.

    Exactly one of the two must be there (B3).
    """
    size = (tensor.parameters or {}).get("binary_data_size")
    if (size is None) == (tensor.data is msgspec.UNSET):
        raise BadRequest(f"{where}: expected exactly one of data and binary_data_size")
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadRequest(f"{where}: binary_data_size: expected a number of bytes, found {size!r}")
    return size


def _outputs(request: _Request, model: LoadedModel) -> tuple[tuple[TensorSpec, bool], ...]:
    if not request.outputs and not request.parameters:
        for spec in model.outputs:
            if not spec.in_json:
                break
        else:
            return tuple((spec, False) for spec in model.outputs)
    all_raw = _flag(request.parameters, "binary_data_output", "parameters") or False
    raws: dict[str, bool] = {}
    for output in request.outputs or ():
        refuse_classification(output.name, output.parameters or ())
        raw = _flag(output.parameters, "binary_data", f"output {output.name!r}")
        raws[output.name] = all_raw if raw is None else raw
    outputs: list[tuple[TensorSpec, bool]] = []
    for spec in choose_outputs(model, [output.name for output in request.outputs or ()]):
        raw = raws.get(spec.name, all_raw)
        if not raw and not spec.in_json:
            raise BadRequest(f"output {spec.name!r}: {spec.datatype} does not travel as JSON; ask for binary_data")
        outputs.append((spec, raw))
    return tuple(outputs)


def _flag(parameters: _Parameters, name: str, where: str) -> bool | None:
    value = (parameters or {}).get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{where}: {name}: expected true or false, found {value!r}")
    return value
