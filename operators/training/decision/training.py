"""A run is on record before its trainer starts, and so is each further attempt at it (G1, A8).

This module does not know what becomes of a trained model.
"""

import attrs

from windlass.operators.training import phases
from windlass.operators.training.decision.facts import (
    LOOK_AGAIN_SECONDS,
    Decision,
    Facts,
    Observe,
    Start,
    Wait,
    Write,
)
from windlass.operators.training.decision.moves import fail, move, whole_second
from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.identity import operation_id, run_id
from windlass.operators.training.runfolder import Progress
from windlass.operators.training.types import ProgressStatus, RunStatus, TrainingJob
from windlass.statemachine.conditions import Condition

__all__ = ("begin", "follow")


def begin(job: TrainingJob, facts: Facts) -> Decision:
    """Put the run on record."""
    if facts.refusal is not None:
        return fail(job, facts, phases.TRAINED, facts.refusal)
    run = run_id(job.metadata.uid, job.metadata.generation)
    intent = RunStatus(
        id=run,
        generation=job.metadata.generation,
        executor=job.spec.executor,
        op_id=operation_id(run, "train", 1),
        attempt=1,
        failures=0,
        started_at=whole_second(facts.now),
    )
    # Only a new run id counts as a run: a stale reading of this status decides the same again.
    already = job.status.run is not None and job.status.run.id == run
    runs = job.status.runs if already else job.status.runs + 1
    running = Condition(phases.TRAINED, "Unknown", "Running", f"run {run}")
    return move(job, facts, "start", running, run=intent, runs=runs)


def follow(job: TrainingJob, facts: Facts) -> Decision:
    """See what has become of the attempt on record."""
    run = job.status.run
    if run is None:
        return fail(job, facts, phases.TRAINED, Fault("StateCorrupt", "the phase is Running, but no run is on record"))
    match facts.observation:
        case None | NotStarted() as seen:
            return Observe() if seen is None else Start()
        case Active(progress):
            return _show(job, progress)
        case Lost() as lost:
            return _resume(job, facts, run, lost)
        case Broken(fault):
            return fail(job, facts, phases.TRAINED, fault)
        case Done(result):
            return _finish(job, facts, run, result.progress)


def _show(job: TrainingJob, progress: Progress | None) -> Decision:
    shown = None if progress is None else _progress(progress)
    if shown is None or shown == job.status.progress:
        return Wait(LOOK_AGAIN_SECONDS)
    return Write(attrs.evolve(job.status, progress=shown))


def _finish(job: TrainingJob, facts: Facts, run: RunStatus, progress: Progress) -> Decision:
    message = f"{progress.epochs} epochs, {progress.step} steps, loss {progress.loss:g}"
    trained = Condition(phases.TRAINED, "True", "Finished", message)
    ended = attrs.evolve(run, finished_at=whole_second(facts.now))
    return move(job, facts, "finish", trained, progress=_progress(progress), run=ended)


def _resume(job: TrainingJob, facts: Facts, run: RunStatus, lost: Lost) -> Decision:
    failures = run.failures + lost.counted
    if failures > facts.failures_max:
        fault = Fault("TrainerFailed", f"{lost.why}; {failures} attempts were lost, {facts.failures_max} may be")
        return fail(job, facts, phases.TRAINED, fault)
    attempt = run.attempt + 1
    again = attrs.evolve(
        run,
        attempt=attempt,
        op_id=operation_id(run.id, "train", attempt),
        failures=failures,
        resumed_from_step=lost.resume_step,
    )
    message = f"run {run.id}, attempt {attempt} from step {lost.resume_step}: {lost.why}"
    return move(job, facts, "resume", Condition(phases.TRAINED, "Unknown", "Running", message), run=again)


def _progress(progress: Progress) -> ProgressStatus:
    return ProgressStatus(progress.epoch, progress.epochs, progress.step, progress.loss, progress.accuracy)
