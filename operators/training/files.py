"""A file written here is either complete under its name or not there at all, whatever kills the process in between.

This module does not know what the bytes mean.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

__all__ = (
    "canonical_json",
    "decode_object",
    "read_json",
    "rename_folder",
    "replace_file",
    "sha256_of",
    "write_durably",
)


def canonical_json(value: Mapping[str, object]) -> bytes:
    """The same value always gives the same bytes: sorted keys, no spaces, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that nobody reads yet, and force it to the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` under `path` in one step; a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_durably(temporary, content)
    os.replace(temporary, path)
    _sync_folder(path.parent)


def rename_folder(temporary: Path, final: Path) -> None:
    """Give a complete folder its name in one step. Raises OSError if a folder with something in it has the name."""
    _sync_folder(temporary)
    os.rename(temporary, final)
    _sync_folder(final.parent)


def read_json(path: Path) -> dict[str, object] | None:
    """The object in a file; None when there is no file, or when what it holds is not a JSON object."""
    try:
        return decode_object(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def decode_object(content: bytes) -> dict[str, object] | None:
    """The JSON object that `content` spells; None when it spells none."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def sha256_of(content: bytes) -> str:
    """The digest as lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _sync_folder(path: Path) -> None:
    # A rename is on the disk only when the folder that holds the name is.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
