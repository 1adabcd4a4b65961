"""A scan lists the complete version folders of `ROOT/<model>/<version>/` and opens none of them.

Names that start with a dot are being written, or belong to a volume's own machinery, and are passed over; so are
versions that are not positive decimals, and folders without `model.json`. A model's name must fit into a URL and a
metric label: letters, digits, `-`, `_`, `.`.
"""

import os
import re
from pathlib import Path

from windlass.serving.repository.description import DESCRIPTION_FILE
from windlass.serving.repository.plan import Found

__all__ = ("scan", "valid_name")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


def valid_name(name: str) -> bool:
    """Whether a model may be called so. `/` and `:` would be ambiguous in `/v1/models/{name}:predict` (V1-4)."""
    return _NAME.fullmatch(name) is not None


def scan(root: Path) -> dict[str, frozenset[Found]]:
    """What lies under `root`, by model name. Synchronous. Raises OSError when `root` itself cannot be listed.

    A model folder that vanishes while it is listed counts as removed; a missing `root` counts as one that cannot be
    listed.
    """
    found: dict[str, frozenset[Found]] = {}
    for folder in root.iterdir():
        if valid_name(folder.name):
            versions = frozenset(_versions(folder))
            if versions:
                found[folder.name] = versions
    return found


def _versions(folder: Path) -> list[Found]:
    versions: list[Found] = []
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return versions
    for name in names:
        if _VERSION.fullmatch(name):
            try:
                mark = _mark(folder / name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            versions.append(Found(int(name), mark))
    return versions


def _mark(folder: Path) -> tuple[int, ...]:
    """What changes when a file of the version does: a copy that was seen half done is looked at again (W9)."""
    (folder / DESCRIPTION_FILE).stat()
    mark: list[int] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        status = entry.stat()
        mark += (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
    return tuple(mark)
