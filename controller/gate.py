"""A gate says which keys this process may work at this moment; a controller asks it before each run.

Without a gate every key may be worked. This module knows neither Leases nor rings.
"""

from typing import Protocol

from windlass.controller.elector import Elector
from windlass.controller.lease import FencingToken
from windlass.informers.keys import Key

__all__ = ("Gate", "LeaderGate")


class Gate(Protocol):
    """What a controller asks. Answers are by the clock, so they are right even after the loop was blocked (L12)."""

    def admits(self, key: Key) -> bool:
        """Whether a run of the key may begin now."""

    def ended(self) -> None:
        """A run that had been admitted has ended."""

    @property
    def token(self) -> FencingToken:
        """What writes of runs that begin now are fenced by. Raises LeadershipLost when nothing may be worked."""


class LeaderGate:
    """The leader works every key, all others work none."""

    def __init__(self, elector: Elector) -> None:
        self._elector = elector

    def admits(self, key: Key) -> bool:  # noqa: ARG002 - the same for every key
        """Whether this process leads."""
        return self._elector.leads

    def ended(self) -> None:
        """Nobody waits for it."""

    @property
    def token(self) -> FencingToken:
        """The token of this leadership."""
        return self._elector.token
