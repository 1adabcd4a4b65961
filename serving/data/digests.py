"""Equal digests mean equal content, in any process and on any machine."""

import hashlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from windlass.serving.data.schema import Table

__all__ = ("chained", "digest_of", "digest_of_arrays")


def digest_of(content: object) -> str:
    """SHA-256 of JSON-shaped content, in hexadecimal; the order of keys does not count."""
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def digest_of_arrays(arrays: Table) -> str:
    """SHA-256 of names, types, shapes and values of arrays, little-endian and row-major."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(msgspec.json.encode([name, array.dtype.kind, array.dtype.itemsize, array.shape]))
        found.update(_bytes(array))
    return found.hexdigest()


def chained(before: str, arrays: Table) -> str:
    """The digest of everything that came before and of these arrays after it."""
    return hashlib.sha256(f"{before}/{digest_of_arrays(arrays)}".encode()).hexdigest()


def _bytes(array: npt.NDArray[Any]) -> bytes:
    if array.dtype == object:
        return msgspec.json.encode([str(value) for value in array.ravel().tolist()])
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
