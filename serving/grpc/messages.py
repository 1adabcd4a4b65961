"""The messages of the package `inference`, field by field as the Open Inference Protocol numbers them.

They are built from the table below when the module is imported, in a descriptor pool of their own. Generated modules
register in the one pool that a process shares, where a second definition of `inference.ModelInferRequest` is an
error: an application could not have an endpoint and an inference client at once. They would also tie the installed
protobuf to the generator's version.

In the table a message's fields are numbered from 1 in their order, which is how the protocol numbers all of them.
`map T` is a map from strings. `Repository…` and `ModelStreamInfer` are Triton's extensions, the former answered with
the fields that KServe's clients read and Triton's pass over; `properties` is in the Open Inference Protocol and not in
Triton's; unknown fields are passed over by either side.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = ("ONEOF", "PACKAGE", "DecodeError", "message")

PACKAGE = "inference"

_MESSAGES: dict[str, tuple[str, ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("bool live",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("bool ready",),
    "ModelReadyRequest": ("string name", "string version"),
    "ModelReadyResponse": ("bool ready",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": ("string name", "string version", "repeated string extensions"),
    "ModelMetadataRequest": ("string name", "string version"),
    "ModelMetadataResponse": (
        "string name",
        "repeated string versions",
        "string platform",
        "repeated ModelMetadataResponse.TensorMetadata inputs",
        "repeated ModelMetadataResponse.TensorMetadata outputs",
        "map string properties",
    ),
    "ModelMetadataResponse.TensorMetadata": ("string name", "string datatype", "repeated int64 shape"),
    "ModelInferRequest": (
        "string model_name",
        "string model_version",
        "string id",
        "map InferParameter parameters",
        "repeated ModelInferRequest.InferInputTensor inputs",
        "repeated ModelInferRequest.InferRequestedOutputTensor outputs",
        "repeated bytes raw_input_contents",
    ),
    "ModelInferRequest.InferInputTensor": (
        "string name",
        "string datatype",
        "repeated int64 shape",
        "map InferParameter parameters",
        "InferTensorContents contents",
    ),
    "ModelInferRequest.InferRequestedOutputTensor": ("string name", "map InferParameter parameters"),
    "ModelInferResponse": (
        "string model_name",
        "string model_version",
        "string id",
        "map InferParameter parameters",
        "repeated ModelInferResponse.InferOutputTensor outputs",
        "repeated bytes raw_output_contents",
    ),
    "ModelStreamInferResponse": ("string error_message", "ModelInferResponse infer_response"),
    "ModelInferResponse.InferOutputTensor": (
        "string name",
        "string datatype",
        "repeated int64 shape",
        "map InferParameter parameters",
        "InferTensorContents contents",
    ),
    "InferParameter": (
        "oneof bool bool_param",
        "oneof int64 int64_param",
        "oneof string string_param",
        "oneof double double_param",
        "oneof uint64 uint64_param",
    ),
    "InferTensorContents": (
        "repeated bool bool_contents",
        "repeated int32 int_contents",
        "repeated int64 int64_contents",
        "repeated uint32 uint_contents",
        "repeated uint64 uint64_contents",
        "repeated float fp32_contents",
        "repeated double fp64_contents",
        "repeated bytes bytes_contents",
    ),
    "RepositoryIndexRequest": ("string repository_name", "bool ready"),
    "RepositoryIndexResponse": ("repeated RepositoryIndexResponse.ModelIndex models",),
    "RepositoryIndexResponse.ModelIndex": ("string name", "string version", "string state", "string reason"),
    "ModelRepositoryParameter": (
        "oneof bool bool_param",
        "oneof int64 int64_param",
        "oneof string string_param",
        "oneof bytes bytes_param",
    ),
    "RepositoryModelLoadRequest": (
        "string repository_name",
        "string model_name",
        "map ModelRepositoryParameter parameters",
    ),
    "RepositoryModelLoadResponse": ("string model_name", "bool isLoaded"),
    "RepositoryModelUnloadRequest": (
        "string repository_name",
        "string model_name",
        "map ModelRepositoryParameter parameters",
    ),
    "RepositoryModelUnloadResponse": ("string model_name", "bool isUnloaded"),
}

ONEOF = "parameter_choice"

_Field = descriptor_pb2.FieldDescriptorProto

_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}


def message(name: str) -> Any:
    """The class of a message, by its name in the package: `message("ModelInferRequest")`."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="windlass/inference.proto", package=PACKAGE, syntax="proto3")
    described: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        described[name] = described[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            _add_field(described[name], number, name=name, words=field.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(described: Any, number: int, *, name: str, words: list[str]) -> None:
    *how, kind, field_name = words
    field = described.field.add(name=field_name, number=number, label=_Field.LABEL_OPTIONAL)
    if how == ["map"]:
        # On the wire a map is a repeated message of key and value, which is marked so that it reads as a map.
        entry = described.nested_type.add(name=f"{field_name.capitalize()}Entry")
        entry.options.map_entry = True
        _set_type(entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL), "string")
        _set_type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind)
        kind = f"{name}.{entry.name}"
    if how in (["map"], ["repeated"]):
        field.label = _Field.LABEL_REPEATED
    if how == ["oneof"]:
        if not described.oneof_decl:
            described.oneof_decl.add(name=ONEOF)
        field.oneof_index = 0
    _set_type(field, kind)


def _set_type(field: Any, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"


_POOL = _pool()
