"""A bundle is a folder of files that is one thing: `files.json` names each with its digest, and its own digest is all.

A bundle appears whole under its name or not at all. This module does not know what the files mean.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from windlass.operators.training.files import canonical_json, read_json, rename_folder, sha256_of, write_durably

__all__ = ("LISTING", "bundle_sha256", "close_bundle", "files_of")

LISTING: Final = "files.json"
_PIECE_BYTES: Final = 1024 * 1024


def close_bundle(temporary: Path, final: Path) -> str:
    """List the files below `temporary`, give the folder its name `final`, and return the bundle's digest.

    What had that name is removed. Only whoever may write there may call this.
    """
    found = sorted(path for path in temporary.rglob("*") if path.is_file())
    listed = {
        path.relative_to(temporary).as_posix(): {"sha256": _digest(path), "size": path.stat().st_size} for path in found
    }
    content = canonical_json({"files": listed})
    write_durably(temporary / LISTING, content)
    shutil.rmtree(final, ignore_errors=True)
    rename_folder(temporary, final)
    return sha256_of(content)


def bundle_sha256(folder: Path) -> str | None:
    """The digest that a bundle goes by; None for a folder that is none. Its files are not read: see `files_of`."""
    try:
        return sha256_of((folder / LISTING).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def files_of(folder: Path) -> dict[str, Path] | None:
    """The files by their names in the bundle, each of which is what the listing says; None if one is not. Blocks."""
    listed = (read_json(folder / LISTING) or {}).get("files")
    if not isinstance(listed, dict):
        return None
    found = {str(name): folder / str(name) for name in listed}
    inside = all(".." not in Path(name).parts and not Path(name).is_absolute() for name in found)
    try:
        same = inside and all(_digest(path) == listed[name]["sha256"] for name, path in found.items())
    except (OSError, KeyError, TypeError):
        return None
    return found if same else None


def _digest(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            hashed.update(piece)
    return hashed.hexdigest()
