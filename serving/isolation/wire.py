"""What travels between an endpoint and its workers is data: tensors, names and sentences, and nothing that can run.

A message is a header in MessagePack, which says how long its blobs are, and the blobs: raw tensors, little-endian and
row-major, without a copy on the way out. Arrays of BYTES travel as a list of byte strings. The same code is on both
sides; a worker lives no longer than the endpoint that started it, so there are no versions.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from windlass.serving.tensors import DATATYPES, Array, TensorSpec

__all__ = (
    "Closed",
    "Failed",
    "Load",
    "Loaded",
    "Message",
    "Predict",
    "Predicted",
    "Spec",
    "described",
    "pack",
    "receive",
    "send",
    "specs",
    "unpack",
)

_LENGTH = struct.Struct("<Q")


class Closed(Exception):
    """The other side is gone."""


class _Tensor(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int = 0
    elements: list[bytes] | None = None


class Spec(msgspec.Struct, frozen=True):
    """A TensorSpec on its way."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Load(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the worker, first: the model. Its content is the blob."""

    name: str
    version: str
    path: str
    format: str
    metadata: dict[str, str]
    python: bool
    memory_bytes_max: int | None


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """From the worker: what the model says of itself; `explanations` is empty for one that offers none."""

    platform: str
    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]
    explanations: tuple[Spec, ...]


class Predict(msgspec.Struct, frozen=True, tag=True):
    """To the worker: compute, or explain."""

    tensors: tuple[_Tensor, ...]
    explain: bool = False


class Predicted(msgspec.Struct, frozen=True, tag=True):
    """From the worker: the outputs."""

    tensors: tuple[_Tensor, ...]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """From the worker: it raised; `refused` when that is what a runtime says of a file that is not right."""

    why: str
    refused: bool = False


Message: TypeAlias = Load | Loaded | Predict | Predicted | Failed

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def specs(described: Sequence[TensorSpec]) -> tuple[Spec, ...]:
    """For a `Loaded`."""
    return tuple(Spec(one.name, one.datatype, one.shape) for one in described)


def described(found: Sequence[Spec]) -> tuple[TensorSpec, ...]:
    """From a `Loaded`."""
    return tuple(TensorSpec(one.name, one.datatype, one.shape) for one in found)


def pack(arrays: Mapping[str, Array], described: Sequence[TensorSpec]) -> tuple[tuple[_Tensor, ...], list[memoryview]]:
    """The arrays that are described, as they are: what is missing or of another type is left for the reader to name."""
    tensors: list[_Tensor] = []
    blobs: list[memoryview] = []
    for spec in described:
        array = arrays.get(spec.name)
        if array is None:
            continue
        array = np.asarray(array)
        if array.dtype == object:
            elements = [bytes(one) if isinstance(one, (bytes, bytearray)) else str(one).encode() for one in array.flat]
            tensors.append(_Tensor(spec.name, "BYTES", array.shape, elements=elements))
            continue
        datatype = _NAMES.get(array.dtype.newbyteorder("<"), str(array.dtype))
        blob = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
        tensors.append(_Tensor(spec.name, datatype, array.shape, size=blob.nbytes))
        blobs.append(blob.data)
    return tuple(tensors), blobs


def unpack(tensors: Sequence[_Tensor], blobs: memoryview) -> dict[str, Array]:
    """The arrays. They may be written to, and share the memory of `blobs`."""
    arrays: dict[str, Array] = {}
    offset = 0
    for tensor in tensors:
        if tensor.elements is not None:
            array: Array = np.empty(len(tensor.elements), dtype=object)
            array[:] = tensor.elements
        else:
            dtype = DATATYPES.get(tensor.datatype) or np.dtype(tensor.datatype)
            # Not frombuffer alone: it takes no empty buffer.
            part = blobs[offset : offset + tensor.size]
            array = np.frombuffer(part, dtype=dtype) if tensor.size else np.empty(0, dtype=dtype)
            offset += tensor.size
        arrays[tensor.name] = array.reshape(tensor.shape)
    return arrays


def send(connection: socket.socket, message: Message, blobs: Sequence[memoryview | bytes] = ()) -> None:
    """Write a message and its blobs. Raises Closed, or TimeoutError of the socket's own time limit."""
    header = _ENCODER.encode(message)
    sizes = sum(len(blob) for blob in blobs)
    try:
        connection.sendall(_LENGTH.pack(len(header)) + _LENGTH.pack(sizes) + header)
        for blob in blobs:
            connection.sendall(blob)
    except (BrokenPipeError, ConnectionError) as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket) -> tuple[Message, memoryview]:
    """The next message and its blobs. Raises Closed, or TimeoutError of the socket's own time limit."""
    lengths = _read(connection, 2 * _LENGTH.size)
    header = _read(connection, _LENGTH.unpack_from(lengths)[0])
    blobs = _read(connection, _LENGTH.unpack_from(lengths, _LENGTH.size)[0])
    return _DECODER.decode(header), blobs


def _read(connection: socket.socket, size: int) -> memoryview:
    buffer = memoryview(bytearray(size))
    done = 0
    while done < size:
        try:
            count = connection.recv_into(buffer[done:])
        except ConnectionError as error:
            raise Closed(str(error)) from error
        if count == 0:
            raise Closed("the other side has closed the connection")
        done += count
    return buffer


_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
