"""A recording is what one API server said, byte for byte: its discovery, a list, and the changes that followed.

Of what is recorded only the stamps are changed when it is replayed: each event has room for one in its spec, and none
is moved by filling it in. This module does not know who records and who replays.
"""

from pathlib import Path
from typing import Final

import msgspec

from windlass.benchmarks.errors import UnusableRecording

__all__ = ("STAMP_DIGITS", "Recording", "blank", "stamp_of", "stamp_place")

STAMP_DIGITS: Final = 19  # as many as the nanoseconds of a clock that runs for three hundred years
_LABEL: Final = b'"stamp":"'


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One collection at `version`, and what then happened to it.

    `documents` are the answers of discovery by their paths, `path` is that of the collection over all namespaces,
    `items` are its objects and `events` the lines of the watch, each with its newline, oldest first. `tls` says
    whether it was said over TLS.
    """

    documents: dict[str, bytes]
    path: str
    api_version: str
    kind: str
    version: str
    items: list[bytes]
    events: list[bytes]
    tls: bool

    def save(self, path: Path) -> None:
        """Write it to a file that appears whole. Raises OSError."""
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            unfinished.write_bytes(msgspec.msgpack.encode(self))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read one from a file. Raises UnusableRecording, naming the file and what is wrong with it."""
        try:
            found = msgspec.msgpack.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise UnusableRecording(path, error.strerror or str(error)) from error
        except msgspec.MsgspecError as error:
            raise UnusableRecording(path, f"expected a recording of windlass bench: {error}") from error
        for number, event in enumerate(found.events):
            if stamp_place(event) is None:
                raise UnusableRecording(path, f"event {number} has no room for one stamp of {STAMP_DIGITS} digits")
        return found


def blank() -> str:
    """A stamp that says nothing, as long as all others."""
    return "0" * STAMP_DIGITS


def stamp_of(nanoseconds: int) -> bytes:
    """A moment of the monotonic clock as it stands in an event."""
    return b"%0*d" % (STAMP_DIGITS, nanoseconds)


def stamp_place(event: bytes) -> int | None:
    """Where in an event its stamp begins; None unless there is exactly one place for one."""
    start = event.find(_LABEL) + len(_LABEL)
    digits = event[start : start + STAMP_DIGITS]
    if event.count(_LABEL) != 1 or len(digits) != STAMP_DIGITS or not digits.isdigit():
        return None
    return start if event[start + STAMP_DIGITS :].startswith(b'"') else None
