"""A checkpoint counts only if every file has its size and digest, and run, data and configuration are ours (A7).

A checkpoint is a folder `checkpoints/<step>` that was written under a name starting with a dot and renamed. The
newest complete one wins; newer ones that are not complete are passed over and reported. This module does not know
what the arrays mean.
"""

import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.training.files import canonical_json, read_json, rename_folder, sha256_of, write_durably

__all__ = ("KEEP", "Checkpoint", "Identity", "Skipped", "load_newest", "newest", "save")

KEEP: Final = 3  # checkpoints that stay; an older one is of no use once three newer ones are on the disk
_MANIFEST: Final = "manifest.json"
_ARRAYS: Final = "arrays.npz"


@attrs.frozen
class Identity:
    """What a checkpoint must share with the run that wants to use it."""

    run: str
    data_sha256: str
    config_sha256: str


@attrs.frozen
class Checkpoint:
    """A complete checkpoint: `step` minibatches and `epoch` epochs are done; loss and accuracy are the last epoch's."""

    folder: Path
    step: int
    epoch: int
    loss: float
    accuracy: float


@attrs.frozen
class Skipped:
    """A checkpoint that was passed over, and why."""

    folder: Path
    why: str


def save(checkpoint: Checkpoint, arrays: Mapping[str, npt.NDArray[np.float64]], identity: Identity) -> None:
    """Write a checkpoint and drop the oldest ones. Only whoever holds the run's lock may call this."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    content = buffer.getvalue()
    parent = checkpoint.folder.parent
    temporary = parent / f".{checkpoint.folder.name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_durably(temporary / _ARRAYS, content)
    manifest = {
        "run": identity.run,
        "dataSha256": identity.data_sha256,
        "configSha256": identity.config_sha256,
        "step": checkpoint.step,
        "epoch": checkpoint.epoch,
        "loss": checkpoint.loss,
        "accuracy": checkpoint.accuracy,
        "files": {_ARRAYS: {"size": len(content), "sha256": sha256_of(content)}},
    }
    write_durably(temporary / _MANIFEST, canonical_json(manifest))
    # What is in the way did not pass as complete, or the run would have resumed after it.
    shutil.rmtree(checkpoint.folder, ignore_errors=True)
    rename_folder(temporary, checkpoint.folder)
    for old in _folders(parent)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)


def newest(parent: Path, identity: Identity) -> tuple[Checkpoint | None, tuple[Skipped, ...]]:
    """The newest complete checkpoint under `parent`, and those newer ones that had to be skipped."""
    skipped: list[Skipped] = []
    for folder in _folders(parent):
        found = _examine(folder, identity)
        if isinstance(found, Checkpoint):
            return found, tuple(skipped)
        skipped.append(found)
    return None, tuple(skipped)


def load_newest(
    parent: Path, identity: Identity
) -> tuple[tuple[Checkpoint, dict[str, npt.NDArray[np.float64]]] | None, tuple[Skipped, ...]]:
    """Like `newest`, with the arrays. The caller holds the run's lock, so nothing changes between the two looks."""
    found, skipped = newest(parent, identity)
    if found is None:
        return None, skipped
    with np.load(found.folder / _ARRAYS, allow_pickle=False) as archive:
        return (found, {name: archive[name] for name in archive.files}), skipped


def _folders(parent: Path) -> list[Path]:
    """Newest first."""
    try:
        named = [entry for entry in parent.iterdir() if entry.name.isdecimal()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(named, key=lambda entry: int(entry.name), reverse=True)


def _examine(folder: Path, identity: Identity) -> Checkpoint | Skipped:
    manifest = read_json(folder / _MANIFEST)
    if manifest is None:
        return Skipped(folder, f"{_MANIFEST} is missing or damaged")
    expected = {"run": identity.run, "dataSha256": identity.data_sha256, "configSha256": identity.config_sha256}
    for field, value in expected.items():
        if manifest.get(field) != value:
            return Skipped(folder, f"{field} is {manifest.get(field)!r}, expected {value!r}")
    try:
        files = manifest["files"]
        if not isinstance(files, dict) or not files:
            raise TypeError(f"files: expected an object with an entry for each file, found {files!r}")
        for name, entry in files.items():
            content = (folder / Path(name).name).read_bytes()
            if len(content) != entry["size"] or sha256_of(content) != entry["sha256"]:
                return Skipped(folder, f"{name} is not what {_MANIFEST} says")
        return Checkpoint(
            folder,
            step=int(str(manifest["step"])),
            # A trainer of somebody else's may count in steps alone.
            epoch=int(str(manifest.get("epoch", 0))),
            loss=float(str(manifest.get("loss", 0.0))),
            accuracy=float(str(manifest.get("accuracy", 0.0))),
        )
    except FileNotFoundError as error:
        return Skipped(folder, f"{Path(str(error.filename)).name} is missing")
    except (KeyError, TypeError, ValueError) as error:
        return Skipped(folder, f"{_MANIFEST} is damaged: {error!r}")
