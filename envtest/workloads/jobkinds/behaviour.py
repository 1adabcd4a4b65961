"""How a controller treats a job is scripted by the job's name, so that each attempt can have its own fate."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

import attrs

from windlass.envtest.workloads.stages import ANNOTATIONS

__all__ = ("Behaviour", "behaviour_of")


@attrs.frozen
class Behaviour:
    """What becomes of a job, where it is not what becomes of every job.

    Nobody follows a `silent` one, as if the controller were not running. One that is refused fails at once with the
    reason in `refuses`. Everything about a job is seen `lag_seconds` late. Its Pods end with `exit_code` after
    `run_seconds`, or are `evicted`; None leaves both to the Pods' own annotations. Once the job is over, its status is
    emptied if the controller `forgets`, and the job is deleted if it `vanishes`. `stopped` is for Ray: somebody stops
    the driver while it runs. `progress` is for Trainer: what the trainer has told of itself.
    """

    silent: bool = False
    refuses: str = ""
    lag_seconds: float = 0.0
    exit_code: int | None = None
    run_seconds: float | None = None
    evicted: bool = False
    forgets: bool = False
    vanishes: bool = False
    stopped: bool = False
    progress: Mapping[str, Any] = MappingProxyType({})

    @property
    def annotations(self) -> dict[str, str]:
        """What the player of stages is told by the Pods."""
        told = {"exit-codes": self.exit_code, "run-seconds": self.run_seconds, "evicted": self.evicted or None}
        return {f"{ANNOTATIONS}/{name}": str(value).lower() for name, value in told.items() if value is not None}


def behaviour_of(name: str, script: Mapping[str, Behaviour]) -> Behaviour:
    """The behaviour of the first key that fits a job's name; the good one if none does.

    A key with `*` is a pattern of the whole name, any other a part of it.
    """
    return next((one for key, one in script.items() if _fits(name, key)), Behaviour())


def _fits(name: str, key: str) -> bool:
    return fnmatchcase(name, key) if "*" in key else key in name
