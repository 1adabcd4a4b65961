"""A tensor's typed contents are in the one field that its datatype has, and as many as its shape says (G3).

The narrow integers share the fields of the 32-bit ones, so each number is compared with its datatype's range. Half
precision has no field and travels raw.
"""

import math
from typing import Any

import numpy as np

from windlass.serving.errors import BadRequest
from windlass.serving.tensors import DATATYPES, Array, TensorSpec, check_shape

__all__ = ("FIELDS", "decode", "encode")

FIELDS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

_WIDE = {"uint_contents": np.dtype("<u4"), "int_contents": np.dtype("<i4")}


def decode(contents: Any, spec: TensorSpec, shape: tuple[int, ...], *, where: str) -> Array:
    """The array of `shape`. Raises BadRequest for another field, another count, or a number out of range."""
    check_shape(spec.shape, shape, where)
    field = FIELDS.get(spec.datatype)
    if field is None:
        raise BadRequest(f"{where}: {spec.datatype} has no typed contents; send it in raw_input_contents")
    for descriptor, _ in contents.ListFields():
        if descriptor.name != field:
            raise BadRequest(f"{where}: found {descriptor.name}, expected {field} for {spec.datatype}")
    values = getattr(contents, field)
    expected = math.prod(shape)
    if len(values) != expected:
        raise BadRequest(f"{where}: {field} has {len(values)} elements, but shape {list(shape)} needs {expected}")
    return _array(values, spec.datatype, field=field, where=where).reshape(shape)


def encode(array: Array, spec: TensorSpec, contents: Any) -> None:
    """Fill the field of the datatype. The datatype must have one."""
    values = array.ravel().tolist()
    if spec.datatype == "BYTES":
        values = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    getattr(contents, FIELDS[spec.datatype]).extend(values)


def _array(values: Any, datatype: str, *, field: str, where: str) -> Array:
    dtype = DATATYPES[datatype]
    if datatype == "BYTES":
        array = np.empty(len(values), dtype=object)
        array[:] = list(values)
        return array
    wide: Array = np.array(values, dtype=_WIDE.get(field, dtype))
    if wide.dtype == dtype:
        return wide
    narrow = wide.astype(dtype)
    if not np.array_equal(narrow, wide):
        raise BadRequest(f"{where}: a number does not fit into {datatype}")
    return narrow
