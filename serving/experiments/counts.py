"""What a running experiment has counted outlives its endpoint, as of one moment: its tallies and its units together.

A file beside the journal, replaced whole every half a minute and at the end. After a crash the experiment goes on from
there: what was counted since is missing from the tallies and from the units alike, so that nothing counts twice. Time
in which no endpoint ran is no time of the experiment. The journal goes first: what it says has ended has ended.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import attrs
import msgspec

from windlass.serving.experiments.decision import State

__all__ = ("SAVE_SECONDS", "Counts", "Kept")

SAVE_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """An experiment at one moment, from which the times of its `state` are counted. `plan` is the plan's digest."""

    plan: str
    state: State
    units: dict[int, int]

    @classmethod
    def of(cls, plan: str, state: State, units: dict[int, int], *, now: float) -> "Kept":
        """What to keep of the state at `now`."""
        return cls(plan, _shifted(state, -now), units)

    def state_at(self, now: float) -> State:
        """The state, if the experiment goes on at `now`."""
        return _shifted(self.state, now)


class Counts:
    """The file. `read` gives what is kept by route, `write` replaces it; a Counts without a path keeps nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def read(self) -> dict[str, Kept]:
        """What was written last; nothing, and a line in the log, when that cannot be read."""
        if self.path is None:
            return {}
        try:
            return msgspec.msgpack.decode(self.path.read_bytes(), type=dict[str, Kept])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            _log.error("the counts of experiments %s cannot be read, so that these begin anew: %s", self.path, error)
            return {}

    def write(self, kept: Mapping[str, Kept]) -> None:
        """Replace it. When the disk refuses, what was there stays, and the log says so."""
        if self.path is None:
            return
        partial = self.path.with_name(f".{self.path.name}.partial")
        try:
            with partial.open("wb") as file:
                file.write(msgspec.msgpack.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except OSError as error:
            _log.error("the counts of experiments %s cannot be written: %s", self.path, error.strerror or error)


def _shifted(state: State, seconds: float) -> State:
    return attrs.evolve(state, began=state.began + seconds, stepped=state.stepped + seconds)
