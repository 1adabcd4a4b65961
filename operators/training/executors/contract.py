"""An executor turns a spec into a plan without looking at the world, and tells what became of it in five words.

`render` is pure: equal arguments give equal plans, byte for byte (A6). `start` is called only after the attempt is on
record, and starts an attempt at most once. `observe` is free of side effects and right after any restart. `suspend`
ends the work and keeps what it has done, `resume` lets it go on, `discard` ends it and removes its traces; what was
published stays. No executor writes to the API server: what is an object in the cluster is created, read and deleted by
`windlass.operators.training.children`. This module does not know how any of them works.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from windlass.informers.keys import Key
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.hardware.answer import Placement
from windlass.operators.training.identity import run_id
from windlass.operators.training.runfolder import Progress, RunFolder, TrainingResult
from windlass.operators.training.supervisor import Supervisor
from windlass.operators.training.types import ChildReference, TrainingJobSpec

if TYPE_CHECKING:
    from windlass.operators.training.children import Children
    from windlass.operators.training.childwatch import ChildWatch

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
    """One attempt at one run of one job, as it stands on record.

    `op_id` is the attempt's token: whoever writes into the run's folder for it shows it. `uid` is the job's,
    `output_uri` the folder as the trainer sees it, `child` the object in the cluster that does the work, once it is
    known. `placement` is the hardware that its Pods get, if the job asks for any. `local_queue` is that of Kueue, if it
    is Kueue that lets the object go on, which is made suspended then.
    """

    key: Key
    id: str
    op_id: str
    attempt: int
    data: DataRecord
    uid: str = ""
    generation: int = 1
    resume_step: int = 0
    output_uri: str = ""
    child: ChildReference | None = None
    placement: Placement | None = None
    local_queue: str = ""


@attrs.frozen
class Plan:
    """What will be started: `module` is ours, never a word from a spec; `config` is the whole of what it is told."""

    run: Run
    module: str
    config: bytes


@attrs.frozen
class Workbench:
    """What an executor may use: the supervisor of processes, the folder of the runs, and the job's objects.

    `uri` is how trainers elsewhere name the folder of the runs, if not by its path here. `watch` wakes jobs by what
    happens to their objects; `children`, made for one look at one job, is how these are written and read.
    """

    supervisor: Supervisor
    runs: Path
    uri: str = ""
    watch: "ChildWatch | None" = None
    children: "Children | None" = None

    def folder(self, run: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.runs / run)

    def traces(self, uid: str, generations: int) -> tuple[str, ...]:
        """The runs of an object that have a folder, of all that its generations up to this one can have had. Blocks."""
        runs = (run_id(uid, generation) for generation in range(1, generations + 1))
        return tuple(run for run in runs if self.folder(run).path.exists())

    def output_uri(self, run: str) -> str:
        """The folder of one run, as its trainer sees it."""
        return f"{(self.uri or self.runs.absolute().as_uri()).rstrip('/')}/{run}"


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
    """The attempt is under way; `progress` is None until there is some.

    `child` is the object that does the work, to be put on record. `waiting` says what keeps it from work, if anything
    does: it is suspended, or no node has room. `held` says that somebody else has suspended it and will let it go on.
    """

    progress: Progress | None = None
    child: ChildReference | None = None
    waiting: str = ""
    held: bool = False


@attrs.frozen
class Lost:
    """The attempt began and is gone without a result. Another one would resume from `resume_step`.

    `counted` says whether it counts against the limit: a trainer that was killed does, one that went down with the
    controller or its node does not. `exit` is how it ended, as far as anybody saw.
    """

    why: str
    counted: bool
    resume_step: int = 0
    exit: Exit | None = None


@attrs.frozen
class Done:
    """The run has its result."""

    result: TrainingResult


@attrs.frozen
class Broken:
    """The run cannot succeed; or, if the fault is retryable, cannot be started yet. `exit` as in Lost.

    If the job says that another try may help after this exit code, it resumes from `resume_step`.
    """

    fault: Fault
    exit: Exit | None = None
    resume_step: int = 0


Observation = NotStarted | Active | Lost | Done | Broken


class TrainingExecutor(Protocol):
    """What stands behind a name in `spec.executor`.

    One whose Pods can be given hardware also has `outline(spec)`, which tells of them before they have any (`Outline`),
    and writes `run.placement` into their template with `dress`. One whose work may wait for Kueue has `admission(spec,
    workbench)`, which is the queue that goes on record as having given the run its place; empty if that is one of ours.
    """

    @property
    def name(self) -> str:
        """The name in the registry."""

    def check(self, spec: TrainingJobSpec) -> None:
        """Raise HyperparametersInvalid or ExtraMissing for what it would refuse. Quick, and starts nothing."""

    def render(self, spec: TrainingJobSpec, run: Run) -> Any:
        """The plan: what would be started, and from which step. Pure. Raises HyperparametersInvalid."""

    async def obstacle(self, workbench: Workbench) -> Fault | None:
        """What keeps any run from being begun at the moment, if anything does; asked before a run is on record."""

    async def start(self, plan: Any, workbench: Workbench) -> None:
        """Start the attempt. Raises TrainingError, a retryable one while an earlier attempt may still write."""

    async def observe(self, run: Run, workbench: Workbench) -> Observation:
        """What is true of the attempt now."""

    async def suspend(self, run: Run, workbench: Workbench) -> None:
        """End the attempt's work, but keep what is done (A12). Idempotent. Raises StillEnding until it can not write.

        Asked to go on by `resume`, the same attempt goes on if it can; if not, `observe` then says Lost, not counted.
        """

    async def resume(self, run: Run, workbench: Workbench) -> None:
        """Take `suspend` back. Idempotent; no change to an attempt that is at work or was never begun."""

    async def cancel(self, run_id: str, workbench: Workbench) -> None:
        """End the run's work, if any, and return when it can no longer write. Idempotent. Raises StillEnding."""

    async def discard(self, run_id: str, workbench: Workbench) -> None:
        """`cancel`, and remove what the run left behind. Idempotent. Raises StillEnding."""
