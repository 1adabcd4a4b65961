"""What an experiment decides is on disk, with its evidence, before it takes effect, and is not decided a second time.

One line of JSON an entry, appended and synced. A journal without a path keeps the latest entries in memory and forgets
them with the process: an experiment that was rolled back then begins anew after a restart. Two endpoints that wrote
one file would not know of each other's decisions, so that the second is refused.
"""

import contextlib
import fcntl
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from windlass.serving.errors import EndpointError
from windlass.serving.experiments.counts import Counts
from windlass.serving.experiments.decision import Report, Verdict

__all__ = ("Entry", "Journal")

_KEPT = 1000
_VERDICTS = frozenset(Verdict)

_log = logging.getLogger(__name__)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `time` is RFC 3339 in UTC, `kind` one of `Report.kind`; `weights` hold from then on."""

    time: str
    route: str
    experiment: str
    kind: str
    why: str
    weights: Mapping[str, int]
    evidence: Mapping[str, Any] = {}

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON-shaped values."""
        entry: dict[str, Any] = msgspec.to_builtins(self)
        return entry


class Journal:
    """The entries of all experiments of an endpoint, in order.

    `counts` keeps beside them what those that run have counted.

    Raises EndpointError when the file at `path` cannot be opened, or holds something else.
    """

    def __init__(self, path: Path | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self.counts = Counts(None if path is None else path.with_name(f"{path.name}.counts"))
        self._now = now
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._verdicts: dict[tuple[str, str], Entry] = {}
        if path is not None:
            self._read(path)

    def entries(self, route: str) -> list[Entry]:
        """The latest entries of a route."""
        return [entry for entry in self._entries if entry.route == route]

    def verdict(self, route: str, experiment: str) -> Entry | None:
        """The entry that ended the experiment; None while there is none."""
        return self._verdicts.get((route, experiment))

    def append(self, route: str, experiment: str, *, report: Report, weights: Mapping[str, int]) -> None:
        """Put a report on record. When the disk refuses, it is in memory and in the log."""
        entry = Entry(
            time=self._now().isoformat(timespec="milliseconds"),
            route=route,
            experiment=experiment,
            kind=report.kind,
            why=report.why,
            weights=weights,
            evidence=report.evidence,
        )
        self._keep(entry)
        _log.info("experiment %s of %s: %s: %s", experiment, route, report.kind, report.why)
        if self.path is None:
            return
        try:
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            _log.error("the journal of experiments %s cannot be written: %s", self.path, error.strerror or error)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from writing the file meanwhile. Raises EndpointError when another endpoint does."""
        if self.path is None:
            yield
            return
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise EndpointError(f"the journal of experiments {self.path}: another endpoint writes it") from error
            yield

    def _keep(self, entry: Entry) -> None:
        self._entries.append(entry)
        if entry.kind in _VERDICTS:
            self._verdicts.setdefault((entry.route, entry.experiment), entry)

    def _read(self, path: Path) -> None:
        try:
            with path.open("ab+") as file:
                file.seek(0)
                whole, newline, rest = file.read().rpartition(b"\n")
                for number, line in enumerate(whole.split(b"\n") if newline else (), 1):
                    self._keep(_entry(path, number, line))
                if rest:
                    _log.warning("%s ends in a line that a crash cut off; it is removed", path)
                    file.truncate(len(whole) + len(newline))
        except OSError as error:
            raise EndpointError(f"the journal of experiments {path}: {error.strerror or error}") from error


def _entry(path: Path, number: int, line: bytes) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.DecodeError as error:
        raise EndpointError(f"{path} line {number} is no entry of a journal: {error}") from error
