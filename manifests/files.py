"""A generated file is written whole or not at all, and the difference between code and files is named, line by line.

This module does not know kinds beyond their definitions, nor any cluster.
"""

import difflib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from windlass.manifests.crd import HEADER, Definable, Webhook, definition_of, stored_class, to_yaml
from windlass.manifests.errors import Drift, InvalidKind
from windlass.manifests.kinds import info_of

__all__ = ("check", "drift", "render", "stale", "tree_drift", "write", "write_tree")


def render(kinds: Iterable[Definable], *, conversion: Webhook | None = None) -> dict[str, str]:
    """Return what the files should hold: ``<group>_<plural>.yaml`` → text, sorted by name.

    Raises ``InvalidKind`` if two classes claim one definition.
    """
    texts: dict[str, str] = {}
    for kind in kinds:
        cls = stored_class(kind)
        info = info_of(cls)
        name = f"{info.resource.group}_{info.resource.plural}.yaml"
        if name in texts:
            raise InvalidKind(
                cls.__name__,
                rule="one class for each kind",
                found=f"another class for {info.crd_name}",
                expected="another group or plural",
            )
        texts[name] = to_yaml([definition_of(kind, conversion)])
    return dict(sorted(texts.items()))


def write(kinds: Iterable[Definable], folder: Path, *, conversion: Webhook | None = None) -> list[Path]:
    """Write the files that differ, each atomically, and return their paths; the folder is made if need be.

    Raises ``OSError`` if the folder cannot be written.
    """
    texts = render(kinds, conversion=conversion)
    folder.mkdir(parents=True, exist_ok=True)
    changed = [folder / name for name, text in texts.items() if _read(folder / name) != text]
    for path in changed:
        _replace(path, texts[path.name])
    return changed


def drift(kinds: Iterable[Definable], folder: Path, *, conversion: Webhook | None = None) -> list[str]:
    """Return the differences between code and files, one or more lines for each file; empty if there are none.

    A generated file that no kind accounts for is a difference too; files of other origin are not looked at.
    """
    texts = render(kinds, conversion=conversion)
    differences: list[str] = []
    for name, text in texts.items():
        differences += _file_drift(folder / name, text)
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in texts and (_read(path) or "").startswith(HEADER):
            differences.append(f"{path}: no kind generates this file any more")
    return differences


def write_tree(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write the files (path → text) that differ, each atomically, and return their paths; folders are made if need be.

    Raises ``OSError`` if a folder cannot be written.
    """
    changed = [path for path in texts if _read(folder / path) != texts[path]]
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        _replace(folder / path, texts[path])
    return [folder / path for path in changed]


def tree_drift(texts: Mapping[str, str], folder: Path, *, header: str) -> list[str]:
    """Return the differences between a tree of files (path → text) and what lies in a folder, line by line.

    A file with the header that is none of them is a difference, too; files of other origin are not looked at.
    """
    differences = [line for path, text in texts.items() for line in _file_drift(folder / path, text)]
    differences += [f"{path}: nothing generates this file any more" for path in stale(texts, folder, header=header)]
    return differences


def stale(texts: Mapping[str, str], folder: Path, *, header: str) -> list[Path]:
    """Return the files in a folder, at any depth, that begin with the header and are none of the tree's (path → text).

    Links are not followed, and what they name is not looked at.
    """
    return [
        path
        for path in sorted(folder.rglob("*.*"))
        if path.is_file()
        and not path.is_symlink()
        and path.relative_to(folder).as_posix() not in texts
        and (_read(path) or "").startswith(header)
    ]


def _file_drift(path: Path, text: str) -> list[str]:
    found = _read(path)
    if found is None:
        return [f"{path}: missing"]
    if found == text:
        return []
    lines = difflib.unified_diff(found.splitlines(), text.splitlines(), "file", "code", lineterm="", n=0)
    changes = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return [f"{path}: {line}" for line in changes or ["line endings differ"]]


def check(kinds: Iterable[Definable], folder: Path) -> None:
    """Raise ``Drift`` with every difference, if there is any."""
    if differences := drift(kinds, folder):
        raise Drift(differences)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    # In the same folder, because a rename is atomic only within one file system.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp keeps it to its owner, and a manifest is for everyone
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
