"""A job's work is in the hands of its executor, on hardware that is on record; each question is put to these two.

What an executor or its hardware refuses becomes a fact. This module does not know when anything is asked.
"""

import asyncio
import contextlib

import attrs

from windlass.controller.context import Context
from windlass.controller.errors import ExecutorError
from windlass.controller.subject import subject_of
from windlass.operators.errors import StillEnding, TrainingError
from windlass.operators.training.attempt import attempt_of, recorded_run
from windlass.operators.training.children import Children
from windlass.operators.training.executors.contract import Broken, Fault, Observation, TrainingExecutor, Workbench
from windlass.operators.training.faults import fault_from
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.hardware.placer import Placer
from windlass.operators.training.identity import child_name, run_id
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.types import TrainingJob

__all__ = ("Work",)


class Work:
    """The executors of the settings, with what they may use, and where their Pods may run."""

    def __init__(self, settings: TrainingSettings, workbench: Workbench, placer: Placer) -> None:
        self._settings = settings
        self._workbench = workbench
        self._placer = placer
        self._executors: dict[str, TrainingExecutor] = {}  # found so far, because looking one up reads the disk

    def executor(self, name: str) -> TrainingExecutor:
        """The executor of this name. Raises ExecutorError."""
        found = self._executors.get(name)
        if found is None:
            found = self._executors[name] = self._settings.executors.get(name)
        return found

    def refusal(self, job: TrainingJob) -> Fault | None:
        """Why the executor, or the hardware, cannot do what the spec asks for."""
        try:
            self.executor(job.spec.executor).check(job.spec)
            if job.spec.hardware is not None:
                self._placer.check(job.spec.hardware, self._outline(job))
        except (ExecutorError, TrainingError) as error:
            return fault_from(error)
        return None

    async def obstacle(self, ctx: Context, job: TrainingJob) -> Fault | None:
        """What is in the executor's way and can change without the spec."""
        return await self.executor(job.spec.executor).obstacle(self._bench(ctx, job))

    async def admission(self, ctx: Context, job: TrainingJob) -> str:
        """Who else says when the job may run, "" if nobody does."""
        asked = getattr(self.executor(job.spec.executor), "admission", None)
        return "" if asked is None else str(await asked(job.spec, self._bench(ctx, job)))

    async def traces(self, job: TrainingJob) -> tuple[str, ...]:
        """The runs that left a folder, of a job whose status knows none."""
        meta = job.metadata
        if job.status.observed_generation != 0 or meta.deletion_timestamp is not None:
            return ()
        return await asyncio.to_thread(self._workbench.traces, meta.uid, meta.generation)

    async def choose_hardware(self, ctx: Context, job: TrainingJob) -> Placement | Unplaceable | Fault:
        """Where the job's Pods may run."""
        run = run_id(job.metadata.uid, job.status.life_generation)
        try:
            outline = self._outline(job)
            if job.spec.hardware is None or outline is None:
                raise RuntimeError(f"{job.key} has no Pods to place")
            return await self._placer.place(ctx, job.spec.hardware, outline, run=run)
        except (ExecutorError, TrainingError) as error:
            return fault_from(error)

    async def observe(self, ctx: Context, job: TrainingJob) -> Observation:
        """What has become of the attempt on record."""
        run = recorded_run(job)
        try:
            executor = self.executor(run.executor)
            return await executor.observe(attempt_of(job, self._workbench), self._bench(ctx, job))
        except ExecutorError as error:
            return Broken(fault_from(error))

    async def start(self, ctx: Context, job: TrainingJob) -> Fault | None:
        """Start the attempt on record; why that cannot be, if it cannot. Raises StillEnding."""
        try:
            executor, bench = self.executor(recorded_run(job).executor), self._bench(ctx, job)
            run = attempt_of(job, self._workbench)
            placement = self._placement(job)
            if placement is not None:
                await self._placer.claim(ctx, subject_of(job), placement)
                run = attrs.evolve(run, placement=placement)
            await executor.start(executor.render(job.spec, run), bench)
        except StillEnding:
            raise
        except TrainingError as error:
            return fault_from(error)
        return None

    async def halt(self, ctx: Context, job: TrainingJob, *, for_good: bool) -> None:
        """Cancel the run, or suspend it."""
        run = attempt_of(job, self._workbench)
        executor = self._there(recorded_run(job).executor)
        if executor is not None and for_good:
            await executor.cancel(run.id, self._bench(ctx, job))
        elif executor is not None:
            await executor.suspend(run, self._bench(ctx, job))

    async def release(self, ctx: Context, job: TrainingJob) -> None:
        """Let a suspended run go on."""
        with contextlib.suppress(ExecutorError):  # the next look at the attempt says what is wrong
            executor = self.executor(recorded_run(job).executor)
            await executor.resume(attempt_of(job, self._workbench), self._bench(ctx, job))

    async def discard(self, ctx: Context, job: TrainingJob, run: str) -> None:
        """Leave nothing of a run at work."""
        executor = self._there(job.spec.executor if job.status.run is None else job.status.run.executor)
        if executor is not None:
            await executor.discard(run, self._bench(ctx, job))

    def _there(self, name: str) -> TrainingExecutor | None:
        try:
            return self.executor(name)
        except ExecutorError:
            # Its plugin is gone or broken: nothing here can end its work, and a deletion must not wait for ever.
            return None

    def _bench(self, ctx: Context, job: TrainingJob) -> Workbench:
        bench = self._workbench
        if bench.watch is None:
            return bench
        children = Children(ctx, job, bench.watch, clock=self._settings.clock)
        return attrs.evolve(bench, children=children)

    def _outline(self, job: TrainingJob) -> Outline | None:
        outline = getattr(self.executor(job.spec.executor), "outline", None)
        return None if outline is None else outline(job.spec)

    def _placement(self, job: TrainingJob) -> Placement | None:
        """The hardware on record for the attempt."""
        wanted, record, run = job.spec.hardware, job.status.hardware, recorded_run(job)
        if wanted is None or record is None or not record.class_:
            return None
        return self._placer.recorded(wanted, record, claim=child_name(job.metadata.name, run.id, run.attempt))
