"""Only regular files of a model folder are read: a pipe or a device would hold the repository up for ever."""

import os
import stat
from pathlib import Path

from windlass.serving.errors import ModelError

__all__ = ("read_regular",)


def read_regular(path: Path) -> bytes:
    """The file's bytes. Raises ModelError for what is no regular file, OSError when it cannot be read."""
    # Without O_NONBLOCK to open a pipe that nobody writes to would wait already.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ModelError(f"{path.name}: expected a regular file, found something else")
        return file.read()
