"""What the trainer of one attempt said is kept beside its run, line by line, up to a bound; the end says if it was cut.

A log that cannot be written never ends a training. This module does not know what the lines mean, or who reads them.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = ("LOG_BYTES_MAX", "AttemptLog")

LOG_BYTES_MAX: Final = 8 * 2**20
"""What an attempt may fill of the disk with words: a trainer that says the same for ever must not fill it."""


class AttemptLog:
    """The file of one attempt, made when there is something to write; an attempt started again goes on in it."""

    def __init__(self, path: Path, *, bytes_max: int = LOG_BYTES_MAX) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._handle: int | None = None
        self._size = 0
        self._closed = False

    def write(self, line: str) -> None:
        """Append a line, unless the bound is reached or the disk refuses."""
        if self._closed:
            return
        try:
            if self._handle is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
                self._size = os.fstat(self._handle).st_size
            found = line.rstrip("\r\n").encode(errors="replace") + b"\n"
            if self._size + len(found) > self._bytes_max:
                os.write(self._handle, f"(no more than {self._bytes_max} bytes are kept)\n".encode())
                self.close()
                return
            self._size += os.write(self._handle, found)
        except OSError:
            self.close()

    def close(self) -> None:
        """Write no more."""
        self._closed = True
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with contextlib.suppress(OSError):
                os.close(handle)
