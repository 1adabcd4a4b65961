"""A bad row is put aside once, however often its block is read, as a line of JSON with all that is known of it."""

import base64
from pathlib import Path

import msgspec

from windlass.serving.data.errors import Unreadable
from windlass.serving.data.tables import Bad

__all__ = ("QuarantineFile",)


class _Line(msgspec.Struct):
    file: str
    row: int
    offset: int
    why: str
    record: str = ""
    record_base64: str = ""


class QuarantineFile:
    """Bad rows in a file of JSON lines. Raises Unreadable when it cannot be used, or holds something else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[tuple[str, int]] = set()
        try:
            content = path.read_bytes() if path.exists() else b""
            for line in content.splitlines():
                found = msgspec.json.decode(line, type=_Line)
                self._known.add((found.file, found.offset))
        except (OSError, msgspec.DecodeError) as error:
            raise Unreadable(f"the quarantine {path}: {error}") from error

    def __len__(self) -> int:
        return len(self._known)

    def put(self, path: Path, bad: Bad, *, row: int) -> None:
        """See Quarantine."""
        key = (path.name, bad.offset)
        if key in self._known:
            return
        try:
            record = {"record": bad.record.decode()}
        except UnicodeDecodeError:
            record = {"record_base64": base64.b64encode(bad.record).decode()}
        line = _Line(path.name, row, bad.offset, bad.why, **record)
        try:
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise Unreadable(f"the quarantine {self.path}: {error.strerror or error}") from error
        self._known.add(key)
