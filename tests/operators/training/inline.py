"""The trainer of ours in a thread: the same program and the same files, without the second that a process takes.

A controller that is killed leaves the thread behind, as the kernel would not; whoever looks waits until it is done.
"""

import asyncio
import contextlib
import io

from windlass.operators.training import trainer
from windlass.operators.training.executors.learner import LearnerExecutor
from windlass.operators.training.executors.process import conclude
from windlass.operators.training.executors.softmax import PARAMETERS
from windlass.operators.training.supervisor import Idle

__all__ = ("NAME", "Inline")

NAME = "inline"


class Inline(LearnerExecutor):
    """See TrainingExecutor."""

    def __init__(self):
        super().__init__("softmax", PARAMETERS)
        self.name = NAME

    async def start(self, plan, workbench):
        await asyncio.to_thread(self.train, workbench.folder(plan.run.id), plan)
        workbench.supervisor._wake(plan.run.key)  # what the end of a process does

    def train(self, folder, plan):
        with folder.lock(timeout_seconds=10):
            folder.prepare(plan.config)
        with contextlib.redirect_stdout(io.StringIO()):
            assert trainer.main([str(folder.path), "--attempt", str(plan.run.attempt)]) == 0

    async def observe(self, run, workbench):
        return await asyncio.to_thread(self.look, workbench.folder(run.id), run.attempt)

    def look(self, folder, attempt):
        if not folder.path.exists():
            return conclude(Idle(), attempt, begun=False, record=None, checkpoint=None)
        with folder.lock(timeout_seconds=10):
            record = folder.result() or folder.failure()
            # Killed between preparing and beginning is not begun, and between beginning and the end there is nothing.
            return conclude(Idle(), attempt, begun=folder.begun(attempt), record=record, checkpoint=None)

    async def discard(self, run_id, workbench):
        await asyncio.to_thread(workbench.folder(run_id).remove)
