"""What is true of a run in a subprocess is read from its folder; the supervisor is asked only who is alive.

A folder outlives every process, so the same answer comes after any restart. This module does not know what is trained.
"""

import asyncio
import signal
from typing import Final

from windlass.operators.training.checkpoints import Checkpoint, Identity
from windlass.operators.training.executors.contract import (
    Active,
    Broken,
    Done,
    Fault,
    Lost,
    NotStarted,
    Observation,
    Plan,
    Run,
    Workbench,
)
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.exitcodes import TRY_AGAIN
from windlass.operators.training.files import sha256_of
from windlass.operators.training.runfolder import Failure, RunFolder, TrainingResult
from windlass.operators.training.supervisor import Exited, State, Working

__all__ = ("ProcessExecutor", "conclude")

_CANCEL_SECONDS: Final = 10.0


class ProcessExecutor:
    """What is the same for every trainer in a subprocess; a subclass adds `name`, `check` and `render`."""

    async def obstacle(self, workbench: Workbench) -> Fault | None:  # noqa: ARG002  # as in TrainingExecutor
        """See TrainingExecutor.obstacle: what `check` lets pass can be started."""
        return None

    async def start(self, plan: Plan, workbench: Workbench) -> None:
        """See TrainingExecutor.start."""
        folder = workbench.folder(plan.run.id)
        await asyncio.to_thread(_prepare, folder, plan.config)
        await workbench.supervisor.start(
            plan.run.key, plan.run.id, attempt=plan.run.attempt, module=plan.module, folder=folder.path
        )

    async def observe(self, run: Run, workbench: Workbench) -> Observation:
        """See TrainingExecutor.observe."""
        # The process is asked before the folder: an attempt that ends in between has then written its last word.
        state = workbench.supervisor.state(run.id)
        if isinstance(state, Working) and state.attempt == run.attempt:
            return Active(state.progress)
        return await asyncio.to_thread(_look, workbench.folder(run.id), run, state)

    async def suspend(self, run: Run, workbench: Workbench) -> None:
        """See TrainingExecutor.suspend."""
        await self.cancel(run.id, workbench)

    async def resume(self, run: Run, workbench: Workbench) -> None:  # as in TrainingExecutor
        """See TrainingExecutor.resume: another attempt goes on from the checkpoint, and counts against nothing."""

    async def cancel(self, run_id: str, workbench: Workbench) -> None:
        """See TrainingExecutor.cancel."""
        await workbench.supervisor.stop(run_id)
        folder = workbench.folder(run_id)
        if folder.path.exists():
            await asyncio.to_thread(_wait_until_free, folder)

    async def discard(self, run_id: str, workbench: Workbench) -> None:
        """See TrainingExecutor.discard."""
        await self.cancel(run_id, workbench)
        await asyncio.to_thread(workbench.folder(run_id).remove)


def conclude(
    state: State, attempt: int, *, begun: bool, record: TrainingResult | Failure | None, checkpoint: Checkpoint | None
) -> Observation:
    """What a process that is not at work, and the folder, say together. Pure (A9 for the exit codes)."""
    if record is not None:
        return Done(record) if isinstance(record, TrainingResult) else Broken(Fault(record.reason, record.message))
    step = 0 if checkpoint is None else checkpoint.step
    if not isinstance(state, Exited) or state.attempt != attempt:
        # Nobody here started this attempt, or it died with the controller that did.
        return Lost("the controller was restarted", counted=False, resume_step=step) if begun else NotStarted()
    ended = Exit(state.code if state.code >= 0 else 128 - state.code, message=state.last_line)
    if state.code < 0:
        why = f"the trainer was killed by {_signal_name(-state.code)}"
        return Lost(why, counted=True, resume_step=step, exit=ended)
    if state.code == TRY_AGAIN:
        return Lost(f"the trainer gave up for now: {state.last_line}", counted=True, resume_step=step, exit=ended)
    how = f"with exit code {state.code}" if state.code else "without writing a result"
    told = f": {state.last_line}" if state.last_line else " and said nothing"
    if ended.meaning == "retryable":
        return Lost(f"the trainer ended {how}{told}", counted=True, resume_step=step, exit=ended)
    return Broken(Fault("TrainerFailed", f"the trainer ended {how}{told}"), ended, step)


def _look(folder: RunFolder, run: Run, state: State) -> Observation:
    record = folder.result() or folder.failure()
    begun = folder.begun(run.attempt)
    checkpoint = None
    if record is None and folder.config.exists():
        identity = Identity(run.id, run.data.files_sha256, sha256_of(folder.config.read_bytes()))
        checkpoint = folder.newest_checkpoint(identity)
    return conclude(state, run.attempt, begun=begun, record=record, checkpoint=checkpoint)


def _prepare(folder: RunFolder, config: bytes) -> None:
    # Fencing (A10): nothing is started, and not even the configuration written, while an earlier attempt may still
    # write.
    with folder.lock(timeout_seconds=_CANCEL_SECONDS):
        folder.prepare(config)


def _wait_until_free(folder: RunFolder) -> None:
    with folder.lock(timeout_seconds=_CANCEL_SECONDS):
        pass


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
