"""Carries out what `decide` says, one decision at a time; every `if` about a training job is there, none is here.

Each run of a key ends with at most one write to the API server, and the next run starts from what that write made.
This module does not know why anything is done.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs

from windlass.controller.context import Context
from windlass.controller.errors import ExecutorError, ExecutorNotFound
from windlass.controller.request import Request, Result
from windlass.controller.subject import subject_of as address_of
from windlass.informers.errors import StructureError
from windlass.informers.resources import resource_of
from windlass.operators.errors import EvaluationError, StillEnding, TrainingError
from windlass.operators.telling import Telling
from windlass.operators.training import decision as decisions
from windlass.operators.training.apart import resolve_apart
from windlass.operators.training.archive import Archive, Ended
from windlass.operators.training.artefact import artefact_of
from windlass.operators.training.children import Children
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.decision import FINALIZER, Decision, Facts, Question, current_phase, decide
from windlass.operators.training.executors.contract import Broken, Fault, Observation, Run, TrainingExecutor, Workbench
from windlass.operators.training.gate.acceptance import unusable
from windlass.operators.training.gate.assembly import Judged, planned_hyperparameters, subject_of
from windlass.operators.training.gate.experiment import KatibCluster
from windlass.operators.training.gate.judging import Deliberating, Judging
from windlass.operators.training.gate.runner import run_gate
from windlass.operators.training.gate.subject import Subject as JudgedSubject
from windlass.operators.training.gate.types import GateSpec, GateStatus
from windlass.operators.training.handoff.shell import HandOff
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.inventory import Inventory
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.hardware.placer import Placer
from windlass.operators.training.identity import child_name, run_id
from windlass.operators.training.life import worked_elsewhere
from windlass.operators.training.metadata.store import MetadataStore
from windlass.operators.training.permissions import HARDWARE_NEEDS, KATIB_NEEDS, NEEDS, PROMOTING
from windlass.operators.training.publish import Published, publish
from windlass.operators.training.queues.kueue import local_queue_in
from windlass.operators.training.queues.places import Admitted, Place, Places
from windlass.operators.training.runfolder import ONNX, TrainingResult
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.story import recent, tellings, told_elsewhere
from windlass.operators.training.types import API_VERSION, RunStatus, TrainingJob
from windlass.operators.training.unreadable import without_status
from windlass.operators.training.validation import Evaluation, Subject, evaluate, told_evaluation

__all__ = ("TrainingReconciler",)

_JOBS: Final = resource_of(TrainingJob)
_STEPS_MAX: Final = 8  # decisions in one run of a key; the longest way is four
_STILL_ENDING_SECONDS: Final = 1.0
T = TypeVar("T")


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
        self._workbench = workbench
        self.places = Places(settings.queues)
        self._handoff = HandOff(allowed=settings.promotions)
        self._told: dict[str, set[str]] = {}  # by the job's uid: the Events this process has told
        self._executors: dict[str, TrainingExecutor] = {}  # found so far, because looking one up reads the disk

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
        bench = self._bench(ctx, job)
        refusal = await self._refusal(job, bench) if current_phase(job) in ("Pending", "Queued") else None
        if refusal is not None:
            self.places.stand_aside(job.metadata.uid)
        facts = Facts(
            now=now,
            operator=ctx.services.field_manager,
            writer=ctx.services.identity,
            trace_id=request.reconcile_id,
            refusal=refusal,
            traces=await self._traces(job),
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
            self._tell(ctx, job, (told_elsewhere(job, ctx.services.field_manager),))
        elif recent(job, now):
            self._tell(ctx, job, tellings(job))
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
                self._tell(ctx, after, tellings(after))
            case decisions.Start():
                refused = await self._start(ctx, job)
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
                self._told.pop(job.metadata.uid, None)
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
                learnt["data"] = await _in_thread(lambda: self._verify(job, table_id))
            case decisions.Enter():
                learnt["place"] = await self._enter(ctx, job, self._bench(ctx, job))
            case decisions.Observe():
                learnt["observation"] = await self._observe(job, self._bench(ctx, job))
            case decisions.ChooseHardware():
                learnt["placement"] = await self._choose_hardware(ctx, job)
            case decisions.Evaluate():
                learnt["evaluation"] = await _in_thread(lambda: self._evaluate(job))
            case decisions.Judge():
                learnt["gate"] = await self._judge(ctx, job)
            case decisions.Publish() | decisions.WriteCard():
                learnt |= await self._keep(job, question)
            case decisions.LookAtPromotion() | decisions.CreatePromotion() | decisions.WithdrawPromotion():
                learnt |= await self._handoff.learn(ctx, job, question)
            case decisions.Halt() | decisions.Release():
                learnt |= await self._hold(job, self._bench(ctx, job), question)
            case decisions.Discard(runs):
                for run in runs:
                    await self._discard(job, run, self._bench(ctx, job))
                learnt["discarded"] = facts.discarded | set(runs)
        return attrs.evolve(facts, **learnt)

    async def _enter(self, ctx: Context, job: TrainingJob, bench: Workbench) -> Place:
        queue = job.spec.queue
        admission = getattr(self._executor(job.spec.executor), "admission", None)
        elsewhere = "" if admission is None else await admission(job.spec, bench)
        if elsewhere:
            self.places.stand_aside(job.metadata.uid)
            return Admitted(elsewhere)
        if not self.places.limited(queue):
            return Admitted()
        return self.places.enter(job.metadata.uid, queue, await ctx.list(_JOBS))

    async def _hold(
        self, job: TrainingJob, bench: Workbench, question: decisions.Halt | decisions.Release
    ) -> dict[str, Any]:
        if isinstance(question, decisions.Release):
            await self._release(job, bench)
            return {"released": True}
        await self._halt(job, bench, for_good=question.for_good)
        return {"halted": True}

    async def _keep(self, job: TrainingJob, question: decisions.Publish | decisions.WriteCard) -> dict[str, Any]:
        if isinstance(question, decisions.Publish):
            return {"published": await _in_thread(lambda: self._publish(job))}
        return {"card": await _in_thread(lambda: self._write_card(job))}

    def _tell(self, ctx: Context, job: TrainingJob, things: Sequence[Telling]) -> None:
        """Tell of the job, each thing once in this process and once in the cluster."""
        told = self._told.setdefault(job.metadata.uid, set())
        for telling in things:
            if telling.dedupe in told:
                continue
            told.add(telling.dedupe)
            recorded = ctx.event(
                job, type=telling.type, reason=telling.reason, message=telling.message, dedupe=telling.dedupe
            )
            recorded.add_done_callback(_forget_if_lost(told, telling.dedupe))

    def _executor(self, name: str) -> TrainingExecutor:
        found = self._executors.get(name)
        if found is None:
            found = self._executors[name] = self._settings.executors.get(name)
        return found

    def _bench(self, ctx: Context, job: TrainingJob) -> Workbench:
        bench = self._workbench
        if bench.watch is None:
            return bench
        children = Children(ctx, job, bench.watch, clock=self._settings.clock)
        return attrs.evolve(bench, children=children)

    async def _refusal(self, job: TrainingJob, bench: Workbench) -> Fault | None:
        try:
            executor = self._executor(job.spec.executor)
            executor.check(job.spec)
            if job.spec.hardware is not None:
                self._placer.check(job.spec.hardware, self._outline(job))
        except (ExecutorError, TrainingError) as error:
            return _fault(error)
        planned = planned_hyperparameters(executor, job.spec)
        refusal = self._handoff.refusal(job) or unusable(job.spec.gate, self._settings.checks, planned)
        if refusal is not None:
            return refusal
        # What can change without the spec is asked right before a run is begun.
        return await executor.obstacle(bench) if current_phase(job) == "Queued" else None

    async def _traces(self, job: TrainingJob) -> tuple[str, ...]:
        meta = job.metadata
        if job.status.observed_generation != 0 or meta.deletion_timestamp is not None:
            return ()
        return await asyncio.to_thread(self._workbench.traces, meta.uid, meta.generation)

    def _run(self, job: TrainingJob) -> Run:
        recorded = _recorded(job)
        if job.status.data is None:
            raise RuntimeError(f"{job.key} has a run on record but no data")
        return Run(
            job.key,
            recorded.id,
            recorded.op_id,
            recorded.attempt,
            job.status.data,
            uid=job.metadata.uid,
            generation=recorded.generation,
            resume_step=recorded.resumed_from_step,
            output_uri=self._workbench.output_uri(recorded.id),
            child=job.status.attempts[-1].child if job.status.attempts else None,
            local_queue=local_queue_in(recorded.queue),
        )

    def _outline(self, job: TrainingJob) -> Outline | None:
        outline = getattr(self._executor(job.spec.executor), "outline", None)
        return None if outline is None else outline(job.spec)

    def _placement(self, job: TrainingJob) -> Placement | None:
        """The hardware on record for the attempt."""
        wanted, record, run = job.spec.hardware, job.status.hardware, _recorded(job)
        if wanted is None or record is None or not record.class_:
            return None
        return self._placer.recorded(wanted, record, claim=child_name(job.metadata.name, run.id, run.attempt))

    async def _choose_hardware(self, ctx: Context, job: TrainingJob) -> Placement | Unplaceable | Fault:
        """Where the job's Pods may run."""
        run = run_id(job.metadata.uid, job.status.life_generation)
        try:
            outline = self._outline(job)
            if job.spec.hardware is None or outline is None:
                raise RuntimeError(f"{job.key} has no Pods to place")
            found = await self._placer.place(ctx, job.spec.hardware, outline, run=run)
        except (ExecutorError, TrainingError) as error:
            return _fault(error)
        if isinstance(found, Unplaceable) and current_phase(job) == "Queued":
            self.places.stand_aside(job.metadata.uid)  # so that nobody waits behind it in its queue
        return found

    def _verify(self, job: TrainingJob, expected_table_id: str | None) -> DataRecord:
        return resolve_apart(job.spec.data.uri, job.spec.data.version, expected_table_id=expected_table_id)

    async def _observe(self, job: TrainingJob, bench: Workbench) -> Observation:
        run = _recorded(job)
        try:
            return await self._executor(run.executor).observe(self._run(job), bench)
        except ExecutorError as error:
            return Broken(_fault(error))

    async def _start(self, ctx: Context, job: TrainingJob) -> Fault | None:
        """Start the attempt on record; why that cannot be, if it cannot."""
        try:
            executor, bench = self._executor(_recorded(job).executor), self._bench(ctx, job)
            run = self._run(job)
            placement = self._placement(job)
            if placement is not None:
                await self._placer.claim(ctx, address_of(job), placement)
                run = attrs.evolve(run, placement=placement)
            await executor.start(executor.render(job.spec, run), bench)
        except StillEnding:
            raise
        except TrainingError as error:
            return _fault(error)
        return None

    async def _halt(self, job: TrainingJob, bench: Workbench, *, for_good: bool) -> None:
        run = self._run(job)
        self._judging.forget(run.id)
        try:
            executor = self._executor(_recorded(job).executor)
        except ExecutorError:
            return  # as when it is discarded
        if for_good:
            await executor.cancel(run.id, bench)
        else:
            await executor.suspend(run, bench)

    async def _release(self, job: TrainingJob, bench: Workbench) -> None:
        with contextlib.suppress(ExecutorError):  # the next look at the attempt says what is wrong
            await self._executor(_recorded(job).executor).resume(self._run(job), bench)

    async def _discard(self, job: TrainingJob, run: str, bench: Workbench) -> None:
        self._judging.forget(run)
        name = job.spec.executor if job.status.run is None else job.status.run.executor
        try:
            executor = self._executor(name)
        except ExecutorError:
            # Its plugin is gone or broken: nothing here can end its work, and a deletion must not wait for ever.
            return
        await executor.discard(run, bench)

    def _evaluate(self, job: TrainingJob) -> Evaluation:
        trained, result = self._trained(job)
        return evaluate(trained) if result.format == ONNX else told_evaluation(trained, result.held_out)

    def _trained(self, job: TrainingJob) -> tuple[Subject, TrainingResult]:
        run = self._run(job)
        folder = self._workbench.folder(run.id)
        result = folder.result()
        if result is None:
            raise EvaluationError(f"the result of run {run.id} is gone from {folder.path}")
        return Subject(
            folder, result.model_sha256, run.data, seed=job.spec.seed, holdout=job.spec.validation.holdout
        ), result

    def _assembled(self, job: TrainingJob) -> JudgedSubject:
        trained, result = self._trained(job)
        return subject_of(
            Judged(
                trained=trained,
                classes=result.classes,
                executor=_recorded(job).executor,
                hyperparameters=job.spec.hyperparameters,
                published=self._settings.models / job.spec.output.model,
                format=result.format,
            )
        )

    async def _judge(self, ctx: Context, job: TrainingJob) -> GateStatus | Deliberating | Fault:
        run, gate = self._run(job), job.spec.gate or GateSpec()

        async def carry_out() -> GateStatus:
            subject = await asyncio.to_thread(self._assembled, job)
            if self._settings.katib:
                cluster = KatibCluster(ctx.api, job.metadata.namespace, _owner(job), asyncio.get_running_loop())
                subject = attrs.evolve(subject, cluster=cluster)
            folder = self._settings.evidence / run.id
            return await run_gate(gate, subject, registry=self._settings.checks, evidence=folder)

        return await self._judging.judge(job.key, run.id, carry_out)

    def _publish(self, job: TrainingJob) -> Published:
        run = self._run(job)
        trained, result = self._trained(job)
        metadata: dict[str, str | int | float] = {
            "job": str(job.key),
            "dataUri": run.data.uri,
            "dataTableId": run.data.table_id,
            "dataVersion": run.data.version,
            "dataFilesSha256": run.data.files_sha256,
        }
        if job.status.validation is not None:
            metadata |= {"accuracy": job.status.validation.accuracy, "heldOutRows": job.status.validation.rows}
        labels = tuple(str(label) for label in result.classes)
        artefact = artefact_of(trained, result, labels=labels, metadata=metadata)
        self._assembled(job)  # so that a model which cannot be described is not published
        return publish(self._settings.models, job.spec.output.model, artefact)

    def _write_card(self, job: TrainingJob) -> str:
        trained, result = self._trained(job)
        archive = Archive(MetadataStore(self._settings.metadata), self._settings.cards)
        return archive.keep(job, Ended(trained.folder, result, self._assembled(job)))


def _owner(job: TrainingJob) -> dict[str, object]:
    owner = {"apiVersion": API_VERSION, "kind": "TrainingJob", "name": job.metadata.name, "uid": job.metadata.uid}
    return {**owner, "controller": True}


def _recorded(job: TrainingJob) -> RunStatus:
    if job.status.run is None:
        raise RuntimeError(f"{job.key} has no run on record")
    return job.status.run


def _fault(error: Exception) -> Fault:
    if isinstance(error, TrainingError):
        return Fault(error.reason, str(error), retryable=error.retryable)
    return Fault("ExecutorNotFound" if isinstance(error, ExecutorNotFound) else "ExecutorBroken", str(error))


async def _in_thread(work: Callable[[], T]) -> T | Fault:
    """Blocking work off the loop; what it foresaw to fail becomes a fact."""
    try:
        return await asyncio.to_thread(work)
    except TrainingError as error:
        return _fault(error)


def _forget_if_lost(told: set[str], dedupe: str) -> Callable[["asyncio.Future[bool]"], None]:
    def on_recorded(recorded: "asyncio.Future[bool]") -> None:
        # An Event that was dropped is told again in the job's next run.
        if recorded.cancelled() or not recorded.result():
            told.discard(dedupe)

    return on_recorded
