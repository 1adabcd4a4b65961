"""The binary tensor extension: every byte of the body belongs to one part, and each part has its exact size (B1-B4).

The body is the JSON of the request followed by one raw buffer for each tensor that has a `binary_data_size`, in
order: little-endian, row-major. BYTES elements are preceded by their length, four bytes little-endian.
"""

import math
import struct

import numpy as np

from windlass.serving.errors import BadRequest
from windlass.serving.tensors import DATATYPES, Array, TensorSpec, check_shape

__all__ = ("decode", "encode", "raw_request", "split")

_LENGTH = struct.Struct("<I")


def split(body: bytes, header: str) -> tuple[bytes, memoryview]:
    """The JSON part and the rest, given the value of `Inference-Header-Content-Length` (B4)."""
    # Seventeen digits are more than any body has, and int() refuses some thousands with an error of its own.
    if not (header.isascii() and header.isdigit() and len(header) < 18) or int(header) > len(body):
        raise BadRequest(
            f"Inference-Header-Content-Length: expected a number from 0 to {len(body)}, found {header[:40]!r}"
        )
    return body[: int(header)], memoryview(body)[int(header) :]


def decode(blob: memoryview, spec: TensorSpec, shape: tuple[int, ...], *, where: str) -> Array:
    """The array of one raw buffer.

    Raises BadRequest unless the buffer's size is exactly what shape and datatype need (B3).
    """
    check_shape(spec.shape, shape, where)
    count = math.prod(shape)
    if spec.datatype == "BYTES":
        return _decode_bytes(blob, count, where).reshape(shape)
    dtype = DATATYPES[spec.datatype]
    needed = count * dtype.itemsize
    if len(blob) != needed:
        raise BadRequest(
            f"{where}: {len(blob)} bytes of data, but {spec.datatype} of shape {list(shape)} needs {needed}"
        )
    if spec.datatype == "BOOL" and not (np.frombuffer(blob, dtype=np.uint8) <= 1).all():
        raise BadRequest(f"{where}: a BOOL is a byte 0 or 1")
    return np.frombuffer(blob, dtype=dtype).reshape(shape)


def encode(array: Array, spec: TensorSpec) -> bytes:
    """The raw buffer of an output (B2)."""
    if spec.datatype != "BYTES":
        return array.astype(DATATYPES[spec.datatype], copy=False).tobytes()
    elements = [element if isinstance(element, bytes) else str(element).encode() for element in array.ravel().tolist()]
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def raw_request(blob: memoryview, specs: tuple[TensorSpec, ...]) -> dict[str, Array]:
    """The inputs of a request whose whole body is one tensor (header value 0, B4): one row.

    At most one other dimension may vary.
    """
    if len(specs) != 1:
        raise BadRequest(f"a raw request needs a model with one input; this one has {len(specs)}")
    spec = specs[0]
    where = f"input {spec.name!r}"
    shape = [1, *spec.shape[1:]] if spec.batched else list(spec.shape)
    if spec.datatype == "BYTES":
        if any(size != 1 for size in shape):
            raise BadRequest(
                f"{where}: a raw request carries one BYTES element, but the model takes {list(spec.shape)}"
            )
        array = np.empty(1, dtype=object)
        array[0] = bytes(blob)
        return {spec.name: array.reshape(shape)}
    if shape.count(-1) > 1:
        raise BadRequest(f"{where}: more than one dimension varies, so a raw request does not say its shape")
    if -1 in shape:
        row = DATATYPES[spec.datatype].itemsize * math.prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = len(blob) // row
    return {spec.name: decode(blob, spec, tuple(shape), where=where)}


def _decode_bytes(blob: memoryview, count: int, where: str) -> Array:
    # Each element has at least its length, so a count that could not fit is refused before anything is allocated.
    if count * _LENGTH.size > len(blob):
        raise BadRequest(f"{where}: {len(blob)} bytes of data cannot hold {count} BYTES elements")
    array = np.empty(count, dtype=object)
    position = 0
    for index in range(count):
        start = position + _LENGTH.size
        if start > len(blob):
            raise BadRequest(f"{where}: element {index} lies beyond the end of the data")
        position = start + _LENGTH.unpack_from(blob, position)[0]
        if position > len(blob):
            raise BadRequest(f"{where}: element {index} lies beyond the end of the data")
        array[index] = bytes(blob[start:position])
    if position != len(blob):
        raise BadRequest(f"{where}: {len(blob) - position} bytes are left over after {count} BYTES elements")
    return array
