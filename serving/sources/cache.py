"""A file is in the cache under its digest when its content has that digest, and never in part.

What is being fetched lies beside, under a name that starts with a dot, and is gone on with after any cut, by this
process or the next; only a content whose digest is right is renamed into place. Processes may share the folder: a lock
on the partial file lets one of them fetch while the others wait for it.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import attrs

from windlass.serving.errors import ModelError
from windlass.serving.sources import remote

__all__ = ("Cache", "default_folder")

_BYTES_MAX = 10 * 1024**3
_PAUSE_SECONDS_MAX = 60.0


def default_folder() -> Path:
    """`windlass/models` in the user's cache: XDG_CACHE_HOME, or `~/.cache`; a temporary one where there is no home."""
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given) / "windlass" / "models"
    try:
        return Path.home() / ".cache" / "windlass" / "models"
    except RuntimeError:  # a container's arbitrary user
        return Path(tempfile.gettempdir()) / f"windlass-{os.getuid()}" / "models"


@attrs.frozen
class _Pause:
    """Why a file is not asked for again before a time, and for how long it was left alone."""

    error: remote.FetchFailed
    until: float
    seconds: float


class Cache:
    """Copies of remote files in `folder`, which together take `bytes_max` at most; the longest unused goes first.

    A file that cannot be had is asked for again after a second, then after twice as long each time, up to a minute.
    Synchronous, and safe to use from several threads.
    """

    def __init__(
        self, folder: Path, *, bytes_max: int = _BYTES_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        self.bytes_max = bytes_max
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Cache {self.folder} bytes_max={self.bytes_max}>"

    def fetch(self, uri: str, sha256: str) -> Path:
        """The copy of the file whose SHA-256 (in hexadecimal) this is.

        Raises ModelError when the content has another digest or is too large, FetchFailed when it cannot be had now.
        """
        digest = sha256.lower()
        pause = self._pauses.get(uri)
        if pause is not None and self._clock() < pause.until:
            raise pause.error
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock, self._partial(digest) as partial:
                path = self._fetched(uri, digest, partial)
        except remote.FetchFailed as error:
            seconds = min(2 * pause.seconds if pause is not None else 1.0, _PAUSE_SECONDS_MAX)
            self._pauses[uri] = _Pause(error, self._clock() + seconds, seconds)
            raise
        self._pauses.pop(uri, None)
        return path

    def forget(self, sha256: str) -> None:
        """Remove a copy that was found to be damaged."""
        (self.folder / sha256.lower()).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _partial(self, digest: str) -> Iterator[BinaryIO]:
        """The partial file, which nobody else writes meanwhile."""
        path = self.folder / f".{digest}.partial"
        while True:
            with path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # Whoever had the lock before may have renamed or removed what was opened here.
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                        yield file
                        return

    def _fetched(self, uri: str, digest: str, partial: BinaryIO) -> Path:
        path, beside = self.folder / digest, self.folder / f".{digest}.partial"
        if path.exists():
            beside.unlink(missing_ok=True)
            os.utime(path)
            return path
        size = remote.size_of(uri)
        self._make_room(uri, size or 0, keep=beside)
        resumed = partial.seek(0, os.SEEK_END) > 0
        found = self._read(uri, partial)
        if found != digest and resumed:
            # The part that was here may have been of another content.
            partial.truncate(0)
            found = self._read(uri, partial)
        if found != digest:
            beside.unlink()
            raise ModelError(f"{remote.shown(uri)}: its SHA-256 is {found}, expected {digest}")
        os.fsync(partial.fileno())
        self._make_room(uri, 0, keep=beside)
        beside.rename(path)
        return path

    def _read(self, uri: str, partial: BinaryIO) -> str:
        """Append what is missing; the digest of it all."""
        hashed = hashlib.sha256()
        partial.seek(0)
        while chunk := partial.read(1 << 20):
            hashed.update(chunk)
        try:
            self._append(uri, partial, hashed.update)
        except ValueError:  # only from its beginning
            partial.truncate(0)
            hashed = hashlib.sha256()
            self._append(uri, partial, hashed.update)
        size = remote.size_of(uri)
        if size is not None and partial.tell() < size:
            raise remote.FetchFailed(f"{remote.shown(uri)}: it broke off after {partial.tell()} of {size} bytes")
        return hashed.hexdigest()

    def _append(self, uri: str, partial: BinaryIO, update: Callable[[bytes], None]) -> None:
        start = partial.seek(0, os.SEEK_END)
        if start and start == remote.size_of(uri):
            return
        for chunk in remote.chunks(uri, start):
            if partial.tell() + len(chunk) > self.bytes_max:
                partial.truncate(0)
                raise self._too_large(uri)
            partial.write(chunk)
            partial.flush()
            update(chunk)

    def _make_room(self, uri: str, needed: int, *, keep: Path) -> None:
        if needed > self.bytes_max:
            raise self._too_large(uri)
        # A partial file that nobody goes on with is one of the others, and goes when its turn comes.
        files = [(entry.stat(), Path(entry.path)) for entry in os.scandir(self.folder) if entry.is_file()]
        there = keep.stat().st_size
        total = sum(status.st_size for status, _ in files) + max(0, needed - there)
        for status, path in sorted(files, key=lambda one: (one[0].st_mtime, one[1].name)):
            if total <= self.bytes_max:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                total -= status.st_size

    def _too_large(self, uri: str) -> ModelError:
        return ModelError(f"{remote.shown(uri)}: it is larger than the cache may be ({self.bytes_max} bytes)")
