"""Carries out what `decide` says, one decision at a time; every `if` about a training job is there, none is here.

Each run of a key ends with at most one write to the API server, and the next run starts from what that write made.
This module does not know why anything is done.
"""

from datetime import datetime
from typing import Any, Final

import attrs

from windlass.controller.context import Context
from windlass.controller.request import Request, Result
from windlass.informers.errors import StructureError
from windlass.informers.resources import resource_of
from windlass.operators.errors import StillEnding
from windlass.operators.ownership import told_elsewhere
from windlass.operators.teller import Teller
from windlass.operators.training import decision as decisions
from windlass.operators.training.apart import resolve_apart
from windlass.operators.training.attempt import recorded_run
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.decision import FINALIZER, Decision, Facts, Question, current_phase, decide
from windlass.operators.training.executors.contract import Broken, Fault, Workbench
from windlass.operators.training.faults import fact_of
from windlass.operators.training.gate.acceptance import unusable
from windlass.operators.training.gate.assembly import planned_hyperparameters
from windlass.operators.training.gate.judging import Judging
from windlass.operators.training.handoff.shell import HandOff
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.inventory import Inventory
from windlass.operators.training.hardware.placer import Placer
from windlass.operators.training.life import worked_elsewhere
from windlass.operators.training.outcome import Outcome
from windlass.operators.training.permissions import HARDWARE_NEEDS, KATIB_NEEDS, NEEDS, PROMOTING
from windlass.operators.training.queues.places import Admitted, Place, Places
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.story import recent, tellings
from windlass.operators.training.types import TrainingJob
from windlass.operators.training.unreadable import without_status
from windlass.operators.training.work import Work

__all__ = ("TrainingReconciler",)

_JOBS: Final = resource_of(TrainingJob)
_STEPS_MAX: Final = 8  # decisions in one run of a key; the longest way is four
_STILL_ENDING_SECONDS: Final = 1.0


class TrainingReconciler:
    """The reconciler of TrainingJob: `manager.controller(reconciler, for_=TrainingJob)`."""

    def __init__(
        self,
        settings: TrainingSettings,
        workbench: Workbench,
        *,
        judging: Judging | None = None,
        placer: Placer | None = None,
    ) -> None:
        self._settings = settings
        self._placer = placer or Placer(settings.hardware, Inventory(lambda *_: None))
        # Read by `manifests.rbac.needs_of`.
        more = (
            *(HARDWARE_NEEDS if self._placer.sees_everything else ()),
            *(PROMOTING if settings.promotions else ()),
            *(KATIB_NEEDS if settings.katib else ()),
        )
        self.__windlass_needs__ = (*NEEDS, *more)
        self._judging = judging or Judging(lambda _: None)
        self._work = Work(settings, workbench, self._placer)
        self._outcome = Outcome(settings, workbench, self._judging)
        self.places = Places(settings.queues)
        self._handoff = HandOff(allowed=settings.promotions)
        self._teller = Teller()

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Take one job one step further."""
        try:
            job = await ctx.get(TrainingJob, request.key)
        except StructureError as error:
            job = await without_status(ctx, request.key, error)
            if job is None:
                return Result.done()
        self._placer.leave(request.key, at_rest=job is None or current_phase(job) not in ("Queued", "Running"))
        if job is None:
            return Result.done()
        now = self._settings.clock()
        self._take_note(ctx, job, now)
        refusal = await self._refusal(ctx, job) if current_phase(job) in ("Pending", "Queued") else None
        if refusal is not None:
            self.places.stand_aside(job.metadata.uid)
        facts = Facts(
            now=now,
            operator=ctx.services.field_manager,
            writer=ctx.services.identity,
            trace_id=request.reconcile_id,
            refusal=refusal,
            traces=await self._work.traces(job),
        )
        for _ in range(_STEPS_MAX):
            try:
                outcome = await self._perform(ctx, job, facts, decide(job, facts))
            except StillEnding as error:
                ctx.log.info("%s", error)
                return Result.after(_STILL_ENDING_SECONDS)  # its end wakes the job; this is for a wake-up that was lost
            if isinstance(outcome, Result):
                return outcome
            facts = outcome
        raise RuntimeError(f"no decision about {request.key} within {_STEPS_MAX} steps")

    def _take_note(self, ctx: Context, job: TrainingJob, now: datetime) -> None:
        """What the first look at the job says to the rest of this process, and to people."""
        elsewhere = worked_elsewhere(job, ctx.services.field_manager)
        if elsewhere:
            self._teller.tell(ctx, job, (told_elsewhere("job", job.status.operator, ctx.services.field_manager),))
        elif recent(job, now):
            self._teller.tell(ctx, job, tellings(job))
        if job.status.run is not None and current_phase(job) != "Validating":
            self._judging.forget(job.status.run.id)  # its verdict is on record, or nobody wants it any more
        if elsewhere:
            self.places.stand_aside(job.metadata.uid)
        elif current_phase(job) != "Queued":
            self.places.leave(job.metadata.uid)

    async def _perform(self, ctx: Context, job: TrainingJob, facts: Facts, decision: Decision) -> Facts | Result:
        """Carry out one decision: new facts to decide on, or the end of this run of the key."""
        match decision:
            case decisions.Write(status):
                await ctx.status(job, **attrs.asdict(status, recurse=False))
                if status.phase != job.status.phase:
                    ctx.log.info("%s → %s", job.status.phase, status.phase)
                after = attrs.evolve(job, status=status)
                self._teller.tell(ctx, after, tellings(after))
            case decisions.Start():
                refused = await self._work.start(ctx, job)
                if refused is not None:
                    return attrs.evolve(facts, observation=Broken(refused))
                return Result.after(decisions.LOOK_AGAIN_SECONDS)
            case decisions.AddFinalizer():
                await ctx.add_finalizer(job, FINALIZER)
            case decisions.Expire():
                meta = job.metadata
                await ctx.delete(TrainingJob, job.key, uid=meta.uid, resource_version=meta.resource_version)
            case decisions.ReleaseFinalizer():
                await ctx.remove_finalizer(job, FINALIZER)
                self._teller.forget(job.metadata.uid)
            case decisions.Retry(why):
                ctx.log.info("%s", why)
                return Result.again()
            case decisions.Wait(seconds):
                return Result.done() if seconds is None else Result.after(seconds)
            case _:
                return await self._learn(ctx, job, facts, question=decision)
        # What was written comes back through the cache and wakes the key.
        return Result.done()

    async def _learn(self, ctx: Context, job: TrainingJob, facts: Facts, *, question: Question) -> Facts:
        learnt: dict[str, Any] = {}
        match question:
            case decisions.Verify(table_id):
                learnt["data"] = await fact_of(lambda: self._verify(job, table_id))
            case decisions.Enter():
                learnt["place"] = await self._enter(ctx, job)
            case decisions.Observe():
                learnt["observation"] = await self._work.observe(ctx, job)
            case decisions.ChooseHardware():
                learnt["placement"] = await self._choose_hardware(ctx, job)
            case decisions.Evaluate():
                learnt["evaluation"] = await fact_of(lambda: self._outcome.evaluate(job))
            case decisions.Judge():
                learnt["gate"] = await self._outcome.judge(ctx, job)
            case decisions.Publish() | decisions.WriteCard():
                learnt |= await self._keep(job, question)
            case decisions.LookAtPromotion() | decisions.CreatePromotion() | decisions.WithdrawPromotion():
                learnt |= await self._handoff.learn(ctx, job, question)
            case decisions.Halt() | decisions.Release():
                learnt |= await self._hold(ctx, job, question)
            case decisions.Discard(runs):
                for run in runs:
                    self._judging.forget(run)
                    await self._work.discard(ctx, job, run)
                learnt["discarded"] = facts.discarded | set(runs)
        return attrs.evolve(facts, **learnt)

    async def _enter(self, ctx: Context, job: TrainingJob) -> Place:
        queue = job.spec.queue
        elsewhere = await self._work.admission(ctx, job)
        if elsewhere:
            self.places.stand_aside(job.metadata.uid)
            return Admitted(elsewhere)
        if not self.places.limited(queue):
            return Admitted()
        return self.places.enter(job.metadata.uid, queue, await ctx.list(_JOBS))

    async def _choose_hardware(self, ctx: Context, job: TrainingJob) -> Placement | Unplaceable | Fault:
        found = await self._work.choose_hardware(ctx, job)
        if isinstance(found, Unplaceable) and current_phase(job) == "Queued":
            self.places.stand_aside(job.metadata.uid)  # so that nobody waits behind it in its queue
        return found

    async def _hold(
        self, ctx: Context, job: TrainingJob, question: decisions.Halt | decisions.Release
    ) -> dict[str, Any]:
        if isinstance(question, decisions.Release):
            await self._work.release(ctx, job)
            return {"released": True}
        self._judging.forget(recorded_run(job).id)
        await self._work.halt(ctx, job, for_good=question.for_good)
        return {"halted": True}

    async def _keep(self, job: TrainingJob, question: decisions.Publish | decisions.WriteCard) -> dict[str, Any]:
        if isinstance(question, decisions.Publish):
            return {"published": await fact_of(lambda: self._outcome.publish(job))}
        return {"card": await fact_of(lambda: self._outcome.write_card(job))}

    async def _refusal(self, ctx: Context, job: TrainingJob) -> Fault | None:
        refusal = self._work.refusal(job)
        if refusal is None:
            planned = planned_hyperparameters(self._work.executor(job.spec.executor), job.spec)
            refusal = self._handoff.refusal(job) or unusable(job.spec.gate, self._settings.checks, planned)
        if refusal is not None:
            return refusal
        # What can change without the spec is asked right before a run is begun.
        return await self._work.obstacle(ctx, job) if current_phase(job) == "Queued" else None

    def _verify(self, job: TrainingJob, expected_table_id: str | None) -> DataRecord:
        return resolve_apart(job.spec.data.uri, job.spec.data.version, expected_table_id=expected_table_id)
