"""An executor turns a spec into a plan without looking at the world, and tells what became of it in five words.

`render` is pure: equal arguments give equal plans, byte for byte (A6). `start` is called only after the attempt is on
record, and starts an attempt at most once. `observe` is free of side effects and right after any restart. `discard`
ends the work and removes its traces; what was published stays. No executor writes to the API server. This module does
not know how any of them works.
"""

from pathlib import Path
from typing import Protocol

import attrs

from windlass.informers.keys import Key
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.runfolder import Progress, RunFolder, TrainingResult
from windlass.operators.training.supervisor import Supervisor
from windlass.operators.training.types import TrainingJobSpec

__all__ = (
    "Active",
    "Broken",
    "Done",
    "Fault",
    "Lost",
    "NotStarted",
    "Observation",
    "Plan",
    "Run",
    "TrainingExecutor",
    "Workbench",
)


@attrs.frozen
class Run:
    """One attempt at one run of one job, as it stands on record."""

    key: Key
    id: str
    op_id: str
    attempt: int
    data: DataRecord


@attrs.frozen
class Plan:
    """What will be started: `module` is ours, never a word from a spec; `config` is the whole of what it is told."""

    run: Run
    module: str
    config: bytes


@attrs.frozen
class Workbench:
    """What an executor may use on this machine: the supervisor of processes and the folder of the runs."""

    supervisor: Supervisor
    runs: Path

    def folder(self, run_id: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.runs / run_id)


@attrs.frozen
class Fault:
    """Why a step failed: a reason for the condition, a sentence for people, and whether trying again may help."""

    reason: str
    message: str
    retryable: bool = False


@attrs.frozen
class NotStarted:
    """The attempt on record was never begun, so it may be started."""


@attrs.frozen
class Active:
    """The attempt is at work; `progress` is None until there is some."""

    progress: Progress | None = None


@attrs.frozen
class Lost:
    """The attempt began and is gone without a result. Another one would resume from `resume_step`.

    `counted` says whether it counts against the limit: a trainer that was killed does, one that went down with the
    controller does not.
    """

    why: str
    counted: bool
    resume_step: int = 0


@attrs.frozen
class Done:
    """The run has its result."""

    result: TrainingResult


@attrs.frozen
class Broken:
    """The run cannot succeed."""

    fault: Fault


Observation = NotStarted | Active | Lost | Done | Broken


class TrainingExecutor(Protocol):
    """What stands behind a name in `spec.executor`."""

    @property
    def name(self) -> str:
        """The name in the registry."""

    def check(self, spec: TrainingJobSpec) -> None:
        """Raise HyperparametersInvalid or ExtraMissing for what it would refuse. Quick, and starts nothing."""

    def render(self, spec: TrainingJobSpec, run: Run) -> Plan:
        """What would be started. Pure. Raises HyperparametersInvalid."""

    async def start(self, plan: Plan, workbench: Workbench) -> None:
        """Start the attempt. Raises RunFolderBusy while an earlier one may still write."""

    async def observe(self, run: Run, workbench: Workbench) -> Observation:
        """What is true of the attempt now."""

    async def cancel(self, run_id: str, workbench: Workbench) -> None:
        """End the run's work, if any, and return when it can no longer write. Idempotent."""

    async def discard(self, run_id: str, workbench: Workbench) -> None:
        """`cancel`, and remove what the run left behind. Idempotent."""
