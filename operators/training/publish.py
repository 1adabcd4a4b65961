"""One run has at most one version in the model repository: publishing it again finds the version it has (G2).

The version's folder is filled under a name starting with a dot and renamed, so a reader of the repository sees a
complete version or none; its number is the highest plus one, taken under a lock. This module does not know who serves
the models.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from windlass.operators.errors import PublishError
from windlass.operators.training.bundle import LISTING
from windlass.operators.training.files import canonical_json, read_json, rename_folder, sha256_of, write_durably
from windlass.operators.training.runfolder import ONNX

__all__ = ("Artefact", "Published", "publish")

_RUN: Final = "runId"
_MODEL_FILE: Final = "model.onnx"


@attrs.frozen
class Artefact:
    """What to publish: the ONNX bytes of one run, the labels of its outputs in order, and facts for later readers.

    Of a bundle, `content` is its listing and `files` are the files by the names that it has for them.
    """

    run: str
    content: bytes = attrs.field(repr=False)
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str | int | float] = attrs.field(factory=dict)
    format: str = ONNX
    files: Mapping[str, Path] = attrs.field(factory=dict)


@attrs.frozen
class Published:
    """Where a run's model is served from."""

    name: str
    version: int
    sha256: str
    uri: str


def publish(root: Path, name: str, artefact: Artefact) -> Published:
    """Put the artefact into `root/name/<version>/`, once. Blocks.

    Raises PublishError when this run is there with another content, or when the folder cannot be written.
    """
    digest = sha256_of(artefact.content)
    try:
        with _locked(root / name):
            versions = _versions(root / name)
            for version in versions:
                described = read_json(root / name / str(version) / "model.json") or {}
                metadata = described.get("metadata")
                if isinstance(metadata, dict) and metadata.get(_RUN) == artefact.run:
                    if described.get("sha256") != digest:
                        raise PublishError(
                            f"model {name!r} version {version} is of run {artefact.run} too, but has another content "
                            f"({described.get('sha256')}, not {digest})"
                        )
                    return _published(root, name, version, digest)
            version = max(versions, default=0) + 1
            _write(root / name, version, artefact, digest=digest)
            return _published(root, name, version, digest)
    except OSError as error:
        why = f"cannot write model {name!r} into {root}: {error.strerror or error}"
        raise PublishError(why, retryable=True) from error


def _published(root: Path, name: str, version: int, digest: str) -> Published:
    return Published(name, version, digest, (root.resolve() / name / str(version)).as_uri())


def _write(folder: Path, version: int, artefact: Artefact, *, digest: str) -> None:
    file = _MODEL_FILE if artefact.format == ONNX else LISTING
    description: dict[str, object] = {
        "format": artefact.format,
        "file": file,
        "sha256": digest,
        "labels": list(artefact.labels),
        "metadata": {**artefact.metadata, _RUN: artefact.run},
    }
    for leftover in folder.glob(".writing-*"):  # of a writer that was killed: we hold the lock, so nobody writes there
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = folder / f".writing-{artefact.run}"
    temporary.mkdir()
    for name, source in artefact.files.items():
        (temporary / name).parent.mkdir(parents=True, exist_ok=True)
        _copy_durably(source, temporary / name)
    write_durably(temporary / file, artefact.content)
    write_durably(temporary / "model.json", canonical_json(description))
    rename_folder(temporary, folder / str(version))


def _copy_durably(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())


def _versions(folder: Path) -> list[int]:
    """Newest first; a number is taken even if its folder is not complete."""
    return sorted((int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()), reverse=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".publish.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # Waits: a publication takes milliseconds, and the kernel frees the lock of a dead process.
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
