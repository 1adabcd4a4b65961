"""JSON values are compared and copied by what they say on the wire, so `true`, `1` and `1.0` are three things.

Python's `==` takes them for equal; a server that did would drop a write from `1` to `true` as a no-op (U-08).
Stored values are shared and never changed in place: whoever wants to change one takes a `copied` one first.
"""

import json
from collections import Counter
from typing import Any

import msgspec

__all__ = ("Json", "copied", "decode", "duplicate_field", "encode", "json_type", "same")

Json = dict[str, Any]

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")


def encode(value: object) -> bytes:
    """Compact JSON, keys in their order."""
    return _encoder.encode(value)


def decode(raw: bytes | str) -> Any:
    """Any JSON value; raises `msgspec.DecodeError` on malformed text."""
    return _decoder.decode(raw)


def copied(value: Any) -> Any:
    """A deep copy; a round trip through JSON is several times faster than `copy.deepcopy`."""
    return _decoder.decode(_encoder.encode(value))


def same(left: object, right: object) -> bool:
    """Whether two values are the same JSON, whatever the order of their keys."""
    return _canonical.encode(left) == _canonical.encode(right)


def duplicate_field(raw: bytes) -> str:
    """The first name that stands twice in one object of a valid JSON text; empty if there is none."""
    found: list[str] = []

    def count(pairs: list[tuple[str, Any]]) -> None:
        names = Counter(name for name, _ in pairs)
        found.extend(name for name, times in names.items() if times > 1)

    json.loads(raw, object_pairs_hook=count)
    return found[0] if found else ""


def json_type(value: object) -> str:
    """The JSON Schema type of a value; an integral number is an `integer`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
