"""A file that was replaced is noticed within a second of the next question, however it was replaced.

Renaming over it, writing into it and swapping the link above it, as Kubernetes does with a mounted Secret, all change
what the file system says of the path. One look a second costs less than a watch, and needs no task.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

__all__ = ("Changes",)

_Mark: TypeAlias = tuple[int, int, int] | None

LOOK_SECONDS = 1.0


class Changes:
    """Whether any of the files has changed since the last time it was said.

    A file that is missing may be about to be replaced: it has changed once it is still missing at the next look.
    """

    def __init__(self, paths: tuple[Path, ...], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = paths
        self._clock = clock
        self._marks = self._look()
        self._missed = False
        self._next = clock() + LOOK_SECONDS

    def seen(self) -> bool:
        """Whether to read the files again; True once for each change."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + LOOK_SECONDS
        marks = self._look()
        missed, self._missed = self._missed, None in marks
        if marks == self._marks or (self._missed and not missed):
            return False
        self._marks = marks
        return True

    def _look(self) -> tuple[_Mark, ...]:
        return tuple(_mark(path) for path in self._paths)


def _mark(path: Path) -> _Mark:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
