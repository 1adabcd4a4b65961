"""The next thing to do follows from the job and the facts alone: no clock, no I/O, no memory between two calls.

One call answers with one decision, and at most one of them writes the status. Side effects come in the order intent,
effect, outcome: a run is on record before its trainer starts (G1), data is pinned before a run exists (A3), and a job
that has ended decides nothing more until its spec changes (G3). This module does not know how any decision is carried
out.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from windlass.operators.training import phases
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted, Observation
from windlass.operators.training.gate.judging import Deliberating
from windlass.operators.training.gate.types import GateStatus
from windlass.operators.training.gate.verdict import admits
from windlass.operators.training.identity import operation_id, run_id
from windlass.operators.training.publish import Published
from windlass.operators.training.runfolder import Progress
from windlass.operators.training.types import (
    JournalEntry,
    ModelStatus,
    ProgressStatus,
    RunStatus,
    TrainingJob,
    TrainingJobStatus,
    ValidationStatus,
)
from windlass.operators.training.validation import Evaluation
from windlass.statemachine.conditions import Condition, Conditions, Status
from windlass.statemachine.journal import digest

__all__ = (
    "FINALIZER",
    "JOURNAL_LENGTH_MAX",
    "LOOK_AGAIN_AT_THE_GATE_SECONDS",
    "LOOK_AGAIN_SECONDS",
    "AddFinalizer",
    "Decision",
    "Discard",
    "Evaluate",
    "Facts",
    "Judge",
    "Observe",
    "Publish",
    "Question",
    "ReleaseFinalizer",
    "Retry",
    "Start",
    "Verify",
    "Wait",
    "Write",
    "current_phase",
    "decide",
)

FINALIZER: Final = "ai.windlass.dev/training-run"
JOURNAL_LENGTH_MAX: Final = 24  # two whole lives and some resumptions, in about 6 kB
LOOK_AGAIN_SECONDS: Final = 5.0  # a trainer's end wakes the job at once; this is for a wake-up that was lost
LOOK_AGAIN_AT_THE_GATE_SECONDS: Final = 30.0  # so does a verdict; looking again costs an evaluation


@attrs.frozen(kw_only=True)
class Facts:
    """What was seen so far in this run of the reconciler; None is "not looked yet".

    `refusal` is what the executor's name and hyperparameters alone say; `discarded` are the runs whose traces are
    known to be gone. `writer` and `trace_id` are who decides and in which run, for the journal alone.
    """

    now: datetime
    writer: str = ""
    trace_id: str = ""
    failures_max: int = 3
    refusal: Fault | None = None
    discarded: frozenset[str] = frozenset()
    data: DataRecord | Fault | None = None
    observation: Observation | None = None
    evaluation: Evaluation | Fault | None = None
    gate: GateStatus | Deliberating | Fault | None = None
    published: Published | Fault | None = None


@attrs.frozen
class AddFinalizer:
    """Make sure that a deletion waits for us."""


@attrs.frozen
class ReleaseFinalizer:
    """Nothing of the job is left on this machine but what it published."""


@attrs.frozen
class Discard:
    """End these runs and remove what they left, then decide again."""

    runs: tuple[str, ...]


@attrs.frozen
class Verify:
    """Resolve and verify the data version, then decide again. `expected_table_id` is None when any table will do."""

    expected_table_id: str | None


@attrs.frozen
class Observe:
    """Ask the executor about the attempt on record, then decide again."""


@attrs.frozen
class Start:
    """Start the attempt on record."""


@attrs.frozen
class Evaluate:
    """Run the exported model on the held-out rows, then decide again."""


@attrs.frozen
class Judge:
    """Ask for the gate's verdict on the exported model, then decide again."""


@attrs.frozen
class Publish:
    """Put the model into the repository, then decide again."""


@attrs.frozen
class Write:
    """Make this the status, and decide again once it has come back."""

    status: TrainingJobStatus


@attrs.frozen
class Retry:
    """Something outside is not as it should be and may recover: try again after a growing pause."""

    why: str


@attrs.frozen
class Wait:
    """Nothing to do until something wakes the job, or at the latest after `seconds`."""

    seconds: float | None = None


# What is learnt, or done and safe to do again, before the next decision of the same run of the key.
Question = Discard | Verify | Observe | Evaluate | Judge | Publish
Decision = AddFinalizer | ReleaseFinalizer | Start | Write | Retry | Wait | Question


def current_phase(job: TrainingJob) -> str:
    """The phase of this generation: Pending while the status still speaks of an older one (C-25)."""
    if job.status.observed_generation != job.metadata.generation:
        return phases.MACHINE.initial
    return phases.phase_of(Conditions.of(job.status.conditions))


def decide(job: TrainingJob, facts: Facts) -> Decision:
    """What to do next."""
    if job.metadata.deletion_timestamp is not None:
        return _let_go(job, facts)
    phase = current_phase(job)
    if phases.MACHINE.is_final(phase):
        return Wait()
    if FINALIZER not in job.metadata.finalizers:
        return AddFinalizer()
    return _BY_PHASE[phase](job, facts)


def _let_go(job: TrainingJob, facts: Facts) -> Decision:
    if FINALIZER not in job.metadata.finalizers:
        return Wait()
    # Not only the run on record: a run can be named for every generation there ever was, so none is forgotten.
    runs = (run_id(job.metadata.uid, generation) for generation in range(1, job.metadata.generation + 1))
    left = tuple(run for run in runs if run not in facts.discarded)
    return Discard(left) if left else ReleaseFinalizer()


def _accept(job: TrainingJob, facts: Facts) -> Decision:
    # The record of the older run is overwritten only once nothing of it is left to be forgotten.
    older = job.status.run
    if older is not None and older.id not in facts.discarded:
        return Discard((older.id,))
    fresh = attrs.evolve(
        job.status,
        observed_generation=job.metadata.generation,
        phase="Pending",
        conditions=(),
        run=None,
        progress=None,
        validation=None,
        gate=None,
        model=None,
    )
    fresh_job = attrs.evolve(job, status=fresh)
    if facts.refusal is not None:
        return _fail(fresh_job, facts, phases.ACCEPTED, facts.refusal)
    accepted = _condition(phases.ACCEPTED, "True", "Accepted", f"by the executor {job.spec.executor}")
    return _move(fresh_job, facts, "accept", accepted)


def _verify(job: TrainingJob, facts: Facts) -> Decision:
    found = facts.data
    if found is None:
        return Verify(_expected_table_id(job))
    if isinstance(found, DataRecord):
        message = f"version {found.version} of table {found.table_id}: {found.rows} rows in {found.num_files} files"
        verified = _condition(phases.DATA_VERIFIED, "True", "Verified", message)
        return _move(job, facts, "pin", verified, data=found)
    return _fail_or_retry(job, facts, phases.DATA_VERIFIED, found)


def _expected_table_id(job: TrainingJob) -> str | None:
    """What the spec demands, or else what an earlier run of this job pinned at the same place (A4)."""
    pinned = job.status.data
    if job.spec.data.table_id is not None:
        return job.spec.data.table_id
    return pinned.table_id if pinned is not None and pinned.uri == job.spec.data.uri else None


def _begin(job: TrainingJob, facts: Facts) -> Decision:
    if facts.refusal is not None:
        return _fail(job, facts, phases.TRAINED, facts.refusal)
    run = run_id(job.metadata.uid, job.metadata.generation)
    intent = RunStatus(
        id=run,
        generation=job.metadata.generation,
        executor=job.spec.executor,
        op_id=operation_id(run, "train", 1),
        attempt=1,
        failures=0,
        started_at=_whole_second(facts.now),
    )
    # Only a new run id counts as a run: a stale reading of this status decides the same again.
    already = job.status.run is not None and job.status.run.id == run
    runs = job.status.runs if already else job.status.runs + 1
    running = _condition(phases.TRAINED, "Unknown", "Running", f"run {run}")
    return _move(job, facts, "start", running, run=intent, runs=runs)


def _follow(job: TrainingJob, facts: Facts) -> Decision:
    run = job.status.run
    if run is None:
        return _fail(job, facts, phases.TRAINED, Fault("StateCorrupt", "the phase is Running, but no run is on record"))
    match facts.observation:
        case None | NotStarted() as seen:
            return Observe() if seen is None else Start()
        case Active(progress):
            return _show(job, progress)
        case Lost() as lost:
            return _resume(job, facts, run, lost)
        case Broken(fault):
            return _fail(job, facts, phases.TRAINED, fault)
        case Done(result):
            return _finish(job, facts, run, result.progress)


def _show(job: TrainingJob, progress: Progress | None) -> Decision:
    shown = None if progress is None else _progress(progress)
    if shown is None or shown == job.status.progress:
        return Wait(LOOK_AGAIN_SECONDS)
    return Write(attrs.evolve(job.status, progress=shown))


def _finish(job: TrainingJob, facts: Facts, run: RunStatus, progress: Progress) -> Decision:
    message = f"{progress.epochs} epochs, {progress.step} steps, loss {progress.loss:g}"
    trained = _condition(phases.TRAINED, "True", "Finished", message)
    ended = attrs.evolve(run, finished_at=_whole_second(facts.now))
    return _move(job, facts, "finish", trained, progress=_progress(progress), run=ended)


def _resume(job: TrainingJob, facts: Facts, run: RunStatus, lost: Lost) -> Decision:
    failures = run.failures + lost.counted
    if failures > facts.failures_max:
        fault = Fault("TrainerFailed", f"{lost.why}; {failures} attempts were lost, {facts.failures_max} may be")
        return _fail(job, facts, phases.TRAINED, fault)
    attempt = run.attempt + 1
    again = attrs.evolve(
        run,
        attempt=attempt,
        op_id=operation_id(run.id, "train", attempt),
        failures=failures,
        resumed_from_step=lost.resume_step,
    )
    message = f"run {run.id}, attempt {attempt} from step {lost.resume_step}: {lost.why}"
    return _move(job, facts, "resume", _condition(phases.TRAINED, "Unknown", "Running", message), run=again)


def _validate(job: TrainingJob, facts: Facts) -> Decision:
    found = facts.evaluation
    if found is None:
        return Evaluate()
    if isinstance(found, Fault):
        return _fail_or_retry(job, facts, phases.VALIDATED, found)
    if not math.isfinite(found.accuracy):
        return _fail(job, facts, phases.VALIDATED, Fault("EvaluationFailed", "the accuracy is not a number"))  # (B1)
    least = job.spec.validation.min_accuracy
    # Compared as measured, so that a number which only rounds up to the minimum does not pass.
    passed = found.accuracy >= least
    verdict = ValidationStatus(accuracy=round(found.accuracy, 6), rows=found.rows, passed=passed)
    judged = attrs.evolve(job, status=attrs.evolve(job.status, validation=verdict))
    message = f"accuracy {found.accuracy:.4f} on {found.rows} held-out rows, at least {least:g} was asked for"
    if not passed:
        return _fail(judged, facts, phases.VALIDATED, Fault("ValidationFailed", message))
    return _pass_the_gate(judged, facts, found, message=message)


def _pass_the_gate(job: TrainingJob, facts: Facts, found: Evaluation, *, message: str) -> Decision:
    if job.spec.gate is None:
        return _move(job, facts, "pass", _condition(phases.VALIDATED, "True", "Passed", message))
    match facts.gate:
        case None:
            return Judge()
        case Deliberating():
            said = _say(job, facts, _condition(phases.VALIDATED, "Unknown", "Judging", message))
            return said or Wait(LOOK_AGAIN_AT_THE_GATE_SECONDS)
        case Fault() as fault:
            return _fail_or_retry(job, facts, phases.VALIDATED, fault)
        case GateStatus() as verdict:
            judged = attrs.evolve(job, status=attrs.evolve(job.status, gate=verdict))
            if not admits(verdict, found.model_sha256):  # (A14, B1)
                return _fail(judged, facts, phases.VALIDATED, Fault("GateClosed", verdict.message))
            passed = _condition(phases.VALIDATED, "True", "Passed", f"{message}; {verdict.message}")
            return _move(judged, facts, "pass", passed)


def _publish(job: TrainingJob, facts: Facts) -> Decision:
    found = facts.published
    if found is None:
        return Publish()
    if isinstance(found, Fault):
        return _fail_or_retry(job, facts, phases.PUBLISHED, found)
    message = f"model {found.name} version {found.version}"
    return _move(
        job,
        facts,
        "publish",
        _condition(phases.PUBLISHED, "True", "Published", message),
        model=ModelStatus(found.name, found.version, found.sha256, found.uri, found.card),
    )


_BY_PHASE: Final[Mapping[str, Callable[[TrainingJob, Facts], Decision]]] = {
    "Pending": _accept,
    "VerifyingData": _verify,
    "Queued": _begin,
    "Running": _follow,
    "Validating": _validate,
    "Publishing": _publish,
}


def _move(job: TrainingJob, facts: Facts, event: str, condition: Condition, **changes: Any) -> Write:
    """The status after a row of the table. Raises IllegalTransition, which is a bug here and changes nothing."""
    target = phases.MACHINE.next(current_phase(job), event)
    ended: Status = "True" if target == "Succeeded" else "False" if target == "Failed" else "Unknown"
    reason = condition.reason if target == "Failed" else target
    message = condition.message if ended != "Unknown" else ""
    conditions = Conditions.of(job.status.conditions)
    for one in (
        *_unknown(conditions),
        condition,
        _condition(phases.SUCCEEDED, ended, reason, message),
        _condition(phases.RECONCILING, "True" if ended == "Unknown" else "False", reason),
        _condition(
            phases.STALLED, "True" if target == "Failed" else "False", reason, message if target == "Failed" else ""
        ),
    ):
        stamped = attrs.evolve(one, observed_generation=job.metadata.generation)
        conditions = conditions.set(stamped, now=facts.now)
    journal = (*job.status.journal, _entry(job, facts, event, target))[-JOURNAL_LENGTH_MAX:]
    return Write(attrs.evolve(job.status, phase=target, conditions=tuple(conditions), journal=journal, **changes))


def _entry(job: TrainingJob, facts: Facts, event: str, target: str) -> JournalEntry:
    return JournalEntry(
        at=_whole_second(facts.now),
        source=current_phase(job),
        target=target,
        cause=event,
        generation=job.metadata.generation,
        trace_id=facts.trace_id,
        writer=facts.writer,
        version_before=job.metadata.resource_version,
        digest=digest(attrs.asdict(attrs.evolve(job.status, journal=()))),
    )


def _unknown(conditions: Conditions) -> tuple[Condition, ...]:
    """Every condition from the first visit on, if only as Unknown (C-21)."""
    steps = (phases.ACCEPTED, phases.DATA_VERIFIED, phases.TRAINED, phases.VALIDATED, phases.PUBLISHED)
    return tuple(_condition(step, "Unknown", "Waiting") for step in steps if conditions.get(step) is None)


def _fail(job: TrainingJob, facts: Facts, step: str, fault: Fault) -> Write:
    return _move(job, facts, "fail", _condition(step, "False", fault.reason, fault.message))


def _fail_or_retry(job: TrainingJob, facts: Facts, step: str, fault: Fault) -> Decision:
    """Fail, or if trying again may help: say what is being waited for, once; then try again."""
    if not fault.retryable:
        return _fail(job, facts, step, fault)
    waiting = _condition(step, "Unknown", fault.reason, fault.message)
    return _say(job, facts, waiting) or Retry(fault.message)


def _say(job: TrainingJob, facts: Facts, condition: Condition) -> Write | None:
    """The status with this condition; None if it says so already."""
    stamped = attrs.evolve(condition, observed_generation=job.metadata.generation)
    before = Conditions.of(job.status.conditions)
    after = before.set(stamped, now=facts.now)
    return None if after is before else Write(attrs.evolve(job.status, conditions=tuple(after)))


def _condition(kind: str, status: Status, reason: str, message: str = "") -> Condition:
    return Condition(kind, status, reason, message)


def _progress(progress: Progress) -> ProgressStatus:
    return ProgressStatus(progress.epoch, progress.epochs, progress.step, progress.loss, progress.accuracy)


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
