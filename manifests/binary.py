"""Bytes travel as padded base64, which is what the format ``byte`` of a schema means.

This module does not know schemas or fields.
"""

import base64
from typing import Any, Final

from windlass.informers.converter import register_scalar

__all__ = ("BASE64",)

BASE64: Final = "byte"
"""The name of the format."""


def _read(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(value)
    return base64.b64decode(value, validate=True)


def _write(value: bytes) -> str:
    return base64.b64encode(value).decode()


register_scalar(bytes, read=_read, write=_write, noun="base64")
