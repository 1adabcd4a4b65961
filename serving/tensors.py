"""A tensor that leaves this module agrees with its description: datatype, rank, dimensions and element count.

All checks on numbers that come from outside happen here, before anything is allocated (R9, D4, D7, R12, R13, R15).
This module knows neither HTTP nor the protocols' envelopes: it gets the bytes of one JSON array, or one raw buffer,
and a description.

Decisions the Open Inference Protocol leaves open: a dimension of 0 is refused; BOOL takes `true` and `false` only;
FP16 and BF16 do not travel as JSON; BYTES elements that are not UTF-8 do not travel as JSON; NaN and infinity in a
result do not travel as JSON (an error, not `null`); a number too large for the datatype is an error, never infinity.
BF16 exists where ml-dtypes is installed (D5).
"""

import contextlib
import math
import re
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from windlass.serving.errors import BadRequest, NotInJson

__all__ = (
    "DATATYPES",
    "Array",
    "TensorSpec",
    "check_shape",
    "decode_json",
    "decode_one",
    "decode_rows",
    "encode_json",
    "encode_rows",
    "parse_json",
)

Array: TypeAlias = npt.NDArray[Any]

_Meta = msgspec.Meta

# BYTES has no fixed width: its arrays hold `bytes` objects.
DATATYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
"""The datatypes of the Open Inference Protocol that have a numpy type of their own, by name."""

with contextlib.suppress(ImportError):  # numpy has no such type of its own
    import ml_dtypes

    DATATYPES["BF16"] = np.dtype(ml_dtypes.bfloat16)

# msgspec bounds integers up to 63 bits only; the 64-bit types are bounded by numpy's own OverflowError.
_ELEMENTS: dict[str, Any] = {
    "BOOL": bool,
    "UINT8": Annotated[int, _Meta(ge=0, le=2**8 - 1)],
    "UINT16": Annotated[int, _Meta(ge=0, le=2**16 - 1)],
    "UINT32": Annotated[int, _Meta(ge=0, le=2**32 - 1)],
    "UINT64": int,
    "INT8": Annotated[int, _Meta(ge=-(2**7), le=2**7 - 1)],
    "INT16": Annotated[int, _Meta(ge=-(2**15), le=2**15 - 1)],
    "INT32": Annotated[int, _Meta(ge=-(2**31), le=2**31 - 1)],
    "INT64": int,
    "FP32": float,
    "FP64": float,
    "BYTES": str,
}

# Above this many elements a FP32 result is written with the digits of the double it widens to: the same value for a
# reader, longer, but ten times cheaper than the shortest digits (measured: 0.4 µs against 0.03 µs an element).
_SHORTEST_DIGITS_UP_TO = 256

# The protobuf form of a shape has 64 bits; what is larger would only make numbers that are too long to print.
_LARGEST_DIMENSION = 2**63 - 1

# A numpy call costs a request as much as looking at a few numbers one by one.
_FEW = 16


@attrs.frozen
class TensorSpec:
    """One input or output of a model.

    `shape` has -1 for a dimension that varies; the first dimension is the batch where it is -1.
    """

    name: str
    datatype: str = attrs.field(validator=attrs.validators.in_(DATATYPES))
    shape: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The datatype as numpy knows it."""
        return DATATYPES[self.datatype]

    @property
    def batched(self) -> bool:
        """Whether the first dimension counts rows."""
        return bool(self.shape) and self.shape[0] == -1

    @property
    def in_json(self) -> bool:
        """Whether JSON can carry the datatype (R12)."""
        return self.datatype in _ELEMENTS

    def to_dict(self) -> dict[str, object]:
        """The form of v2 metadata (R6)."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


def parse_json(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[Any], where: str) -> Any:
    """Decode, or raise BadRequest with `where` and the path inside it: `data[2]: expected number, got string`."""
    try:
        if not raw:
            raise BadRequest(f"{where or 'body'}: empty; expected JSON")
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        # msgspec ends its sentence with the path: "Expected `int`, got `str` - at `$[1]`"
        text, _, path = str(error).partition(" - at `$")
        place = where + path.rstrip("`")
        raise BadRequest(f"{place.lstrip('.') or 'body'}: {_plain(text)}") from error
    except RecursionError as error:
        raise BadRequest(f"{where or 'body'}: nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"{where or 'body'}: not JSON: {error}") from error


# msgspec speaks of Python's types; the client speaks JSON.
_WORDS = {"float": "number", "int": "integer", "str": "string", "bool": "boolean"}


def _plain(text: str) -> str:
    words = re.sub(
        r"`([^`]*)`", lambda found: " or ".join(_WORDS.get(word, word) for word in found[1].split(" | ")), text
    )
    return words[:1].lower() + words[1:]


def check_shape(expected: tuple[int, ...], shape: tuple[int, ...], where: str) -> None:
    """Raise BadRequest unless `shape` fits: same rank, equal dimensions where the spec fixes one, none below 1."""
    if len(shape) != len(expected):
        raise BadRequest(f"{where}: shape {list(shape)} has {len(shape)} dimensions, expected {list(expected)}")
    for found, wanted in zip(shape, expected):  # noqa: B905  (equally long; `strict` costs as much again)
        if not 1 <= found <= _LARGEST_DIMENSION or wanted not in (-1, found):
            raise BadRequest(
                f"{where}: shape {list(shape)} does not fit {list(expected)}; -1 stands for any number from 1 up"
            )


def decode_json(raw: bytes | msgspec.Raw, spec: TensorSpec, shape: tuple[int, ...], *, where: str) -> Array:
    """The array of `shape` from a JSON array, nested or flat (D7).

    The count is compared before anything is allocated.
    """
    check_shape(spec.shape, shape, where)
    nested = len(shape) > 1 and bytes(raw).lstrip()[1:64].lstrip().startswith(b"[")
    decoder = _decoder(spec.datatype, len(shape) if nested else 1, where)
    try:
        values = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Only now is it worth its time to find out what is wrong.
        if not bytes(raw).lstrip().startswith(b"["):
            raise BadRequest(f"{where}: data must be a JSON array") from None
        values = parse_json(raw, decoder, f"{where}: data")
    if nested:
        values = _flatten(values, shape, f"{where}: data")
    expected = math.prod(shape)
    if len(values) != expected:
        raise BadRequest(f"{where}: data has {len(values)} elements, but shape {list(shape)} needs {expected}")
    return _array(values, spec.datatype, shape=shape, where=where)


def decode_rows(raw: bytes | msgspec.Raw, spec: TensorSpec, where: str) -> Array:
    """The array whose shape is that of the nesting: for a batch, one element of the JSON array is one row (V1-2)."""
    return _decode_nested(raw, spec, where=where)


def decode_one(raw: bytes | msgspec.Raw, spec: TensorSpec, where: str) -> Array:
    """A batch of the one row that the JSON value is; the whole tensor when the model takes no batches."""
    if spec.batched:
        return _decode_nested(raw, spec, where=where, batch=(1,))
    return decode_rows(raw, spec, where)


def _decode_nested(raw: bytes | msgspec.Raw, spec: TensorSpec, *, where: str, batch: tuple[int, ...] = ()) -> Array:
    """Decode `raw` as the dimensions that follow `batch`, which is put before them."""
    expected = spec.shape[len(batch) :]
    rank = len(expected)
    values = parse_json(raw, _decoder(spec.datatype, rank, where), where)
    shape: tuple[int, ...] = ()
    level = values
    for _ in range(rank):
        shape += (len(level),)
        if not level:
            raise BadRequest(f"{where}: expected at least one element")
        level = level[0]
    check_shape(expected, shape, where)
    flat = _flatten(values, shape, where) if rank > 1 else values if rank else [values]
    return _array(flat, spec.datatype, shape=batch + shape, where=where)


def encode_json(array: Array, spec: TensorSpec) -> list[object] | msgspec.Raw:
    """The flat, row-major form that msgspec writes (R15): a list, or ready-made JSON for FP32.

    The shape travels beside it.

    Raises NotInJson for what JSON cannot carry: NaN, infinity, FP16, BF16, and BYTES that are not UTF-8.
    """
    if not spec.in_json:
        raise NotInJson(f"output {spec.name!r}: {spec.datatype} does not travel as JSON")
    flat: list[object] = (array if array.ndim == 1 else array.ravel()).tolist()
    if spec.datatype == "BYTES":
        return [_text(element, spec.name) for element in flat]
    if array.dtype.kind == "f":
        if not _all_finite(array, flat):
            raise NotInJson(f"output {spec.name!r}: holds NaN or infinity, which JSON cannot carry")
        if array.itemsize == 4 and array.size <= _SHORTEST_DIGITS_UP_TO:
            return msgspec.Raw(b"[" + b",".join(array.ravel().astype("S32").tolist()) + b"]")
    return flat


def encode_rows(array: Array, spec: TensorSpec) -> list[object]:
    """One JSON value for each row of a batch: a number for `[-1]`, a list for `[-1, n]`, and so on.

    Raises as encode_json does.
    """
    flat = encode_json(array, spec)
    if isinstance(flat, msgspec.Raw):
        flat = [msgspec.Raw(text) for text in bytes(flat)[1:-1].split(b",")]
    rows: list[object] = flat
    for dimension in reversed(array.shape[1:]):
        rows = [rows[start : start + dimension] for start in range(0, len(rows), dimension)]
    return rows


def _all_finite(array: Array, flat: list[Any]) -> bool:
    if array.size <= _FEW:
        return all(map(math.isfinite, flat))
    return bool(np.isfinite(array).all())


def _text(element: object, name: str) -> str:
    try:
        return element.decode() if isinstance(element, bytes) else str(element)
    except UnicodeDecodeError as error:
        raise NotInJson(f"output {name!r}: holds bytes that are not UTF-8") from error


@lru_cache(maxsize=256)
def _cached_decoder(datatype: str, depth: int) -> msgspec.json.Decoder[Any]:
    expected = _ELEMENTS[datatype]
    for _ in range(depth):
        expected = list.__class_getitem__(expected)
    return msgspec.json.Decoder(expected)


def _decoder(datatype: str, depth: int, where: str) -> msgspec.json.Decoder[Any]:
    if datatype not in _ELEMENTS:
        raise BadRequest(f"{where}: {datatype} does not travel as JSON; send it with the binary tensor extension")
    return _cached_decoder(datatype, depth)


def _flatten(values: list[Any], shape: tuple[int, ...], where: str) -> list[Any]:
    """Join the nested rows after proving that no row differs in length from its neighbours."""
    rows = values
    if len(rows) != shape[0]:
        raise BadRequest(f"{where}: has {len(rows)} rows, but shape {list(shape)} needs {shape[0]}")
    for dimension in shape[1:]:
        for index, row in enumerate(rows):
            if len(row) != dimension:
                raise BadRequest(f"{where}: row {index} has {len(row)} elements where {dimension} are expected")
        rows = [element for row in rows for element in row]
    return rows


def _array(values: list[Any], datatype: str, *, shape: tuple[int, ...], where: str) -> Array:
    dtype = DATATYPES[datatype]
    if datatype == "BYTES":
        array = np.empty(len(values), dtype=object)
        array[:] = [value.encode() for value in values]
    else:
        try:
            array = np.array(values, dtype=dtype) if datatype != "FP32" else _float32(values, where)
        except OverflowError as error:
            raise BadRequest(f"{where}: a number does not fit into {datatype}") from error
    # Each numpy call counts on a small request, and a vector has its shape already.
    return array if len(shape) == 1 else array.reshape(shape)


def _float32(values: list[float], where: str) -> Array:
    with np.errstate(over="ignore"):
        array = np.array(values, dtype=DATATYPES["FP32"])
    # JSON has no infinity, so one that appears here was a number too large for 32 bits.
    if not np.isfinite(array).all():
        raise BadRequest(f"{where}: a number does not fit into FP32")
    return array
