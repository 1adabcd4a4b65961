"""A run is on record before its trainer starts, and so is each further attempt at it (G1, A8).

This module does not know what becomes of a trained model.
"""

import math

import attrs

from windlass.operators.telling import counted
from windlass.operators.training import phases
from windlass.operators.training.decision.attempts import (
    close_attempt,
    evolve_attempt,
    latest,
    open_attempt,
)
from windlass.operators.training.decision.deadlines import seconds_left
from windlass.operators.training.decision.facts import (
    LOOK_AGAIN_IN_THE_QUEUE_SECONDS,
    LOOK_AGAIN_SECONDS,
    Decision,
    Enter,
    Facts,
    Halt,
    Observe,
    Release,
    Retry,
    Start,
    Wait,
    Write,
)
from windlass.operators.training.decision.losses import begin_after, code_of, in_words_of
from windlass.operators.training.decision.moves import (
    fail,
    fail_or_retry,
    move,
    next_second,
    say,
    whole_second,
)
from windlass.operators.training.decision.placing import elsewhere, place_first, relocated
from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted, Observation
from windlass.operators.training.executors.pods import UNSCHEDULABLE
from windlass.operators.training.hardware.types import HardwareStatus
from windlass.operators.training.identity import operation_id, run_id
from windlass.operators.training.queues.kueue import local_queue_in
from windlass.operators.training.queues.places import Admitted, Standing, Unknown
from windlass.operators.training.runfolder import Progress
from windlass.operators.training.types import ProgressStatus, RunStatus, TrainingJob
from windlass.statemachine.conditions import Condition

__all__ = ("begin", "follow")


def begin(job: TrainingJob, facts: Facts) -> Decision:
    """Wait for a place in the queue; then put the run on record, or take up again the one that was suspended."""
    if facts.refusal is not None:
        return fail_or_retry(job, facts, phases.TRAINED, facts.refusal)
    match facts.place:
        case None:
            return Enter()
        case Standing(position, taken, places):
            waiting = f"position {position} in queue {job.spec.queue}: {taken} of {places} places are taken"
            return _wait_for_a_place(job, facts, Condition(phases.TRAINED, "Unknown", "Queued", waiting))
        case Unknown(known):
            waiting = f"there is no queue {job.spec.queue!r}; known: {', '.join(known)}"
            return _wait_for_a_place(job, facts, Condition(phases.TRAINED, "Unknown", "QueueNotFound", waiting))
        case Admitted(queue):
            return _start(job, facts, queue=queue or job.spec.queue)


def _wait_for_a_place(job: TrainingJob, facts: Facts, waiting: Condition) -> Decision:
    return say(job, facts, waiting) or Wait(LOOK_AGAIN_IN_THE_QUEUE_SECONDS)


def _start(job: TrainingJob, facts: Facts, *, queue: str) -> Decision:
    run = run_id(job.metadata.uid, job.status.life_generation)
    running = Condition(phases.TRAINED, "Unknown", "Running", f"run {run}")
    since, before, held = next_second(facts.now), job.status.run, bool(local_queue_in(queue))
    if before is not None and before.id == run:
        goes_on = attrs.evolve(before, active_since=since, queue=queue, held=held)
        return move(job, facts, "start", running, run=goes_on)
    unplaced = place_first(job, facts, attempt=1)
    if unplaced is not None:
        return unplaced
    intent = RunStatus(
        id=run,
        generation=job.status.life_generation,
        executor=job.spec.executor,
        op_id=operation_id(run, "train", 1),
        attempt=1,
        failures=0,
        started_at=whole_second(facts.now),
        active_since=since,
        queue=queue,
        held=held,
    )
    begun = open_attempt(attrs.evolve(job.status, runs=job.status.runs + 1), intent, at=intent.started_at)
    return move(attrs.evolve(job, status=begun), facts, "start", running)


def follow(job: TrainingJob, facts: Facts) -> Decision:
    """See what has become of the attempt on record."""
    run, attempt = job.status.run, latest(job.status)
    if run is None or attempt is None:
        return fail(job, facts, phases.TRAINED, Fault("StateCorrupt", "the phase is Running, but no run is on record"))
    if attempt.suspended and not facts.released:
        return Release()
    if facts.observation is None:
        return Observe()
    seen = in_words_of(job.spec.retries, facts.observation)
    ended = isinstance(seen, Done) or (isinstance(seen, Broken) and not seen.fault.retryable)
    held = run.held or (isinstance(seen, Active) and seen.held)  # time in another's queue is no time in training
    left = math.inf if ended or held else seconds_left(job, facts.now)
    if left == 0:
        return _overdue(job, facts)
    decision = _go_on(job, facts, run, seen=seen)
    return Wait(min(decision.seconds or left, left)) if isinstance(decision, Wait) else decision


def _overdue(job: TrainingJob, facts: Facts) -> Decision:
    if not facts.halted:
        return Halt(for_good=True)
    fault = Fault("DeadlineExceeded", f"training took longer than {job.spec.active_deadline_seconds} s")
    ended = close_attempt(job.status, "Failed", fault.message, at=facts.now)
    return fail(attrs.evolve(job, status=ended), facts, phases.TRAINED, fault)


def _go_on(job: TrainingJob, facts: Facts, run: RunStatus, *, seen: Observation) -> Decision:
    attempt = job.status.attempts[-1]
    if attempt.suspended and isinstance(seen, NotStarted | Active):
        return Write(evolve_attempt(job.status, suspended=False))
    match seen:
        case NotStarted():
            early = (attempt.started_at - facts.now).total_seconds()
            return Wait(early) if early > 0 else place_first(job, facts, run.attempt) or Start()
        case Active() as active:
            return _leave(job, facts, run, seen=active) or _show(job, facts, run, seen=active)
        case Lost() as lost:
            return _resume(job, facts, run, lost)
        case Broken() as broken:
            return _break_off(job, facts, run, broken)
        case Done(result):
            return _finish(job, facts, run, result.progress)


def _break_off(job: TrainingJob, facts: Facts, run: RunStatus, broken: Broken) -> Decision:
    fault = broken.fault
    if fault.retryable:
        said = _show(job, facts, run, seen=Active(waiting=f"{fault.reason}: {fault.message}"))
        return said if isinstance(said, Write) else Retry(fault.message)
    ended = close_attempt(job.status, "Failed", fault.message, at=facts.now, exit_code=code_of(broken))
    return fail(attrs.evolve(job, status=ended), facts, phases.TRAINED, fault)


def _leave(job: TrainingJob, facts: Facts, run: RunStatus, *, seen: Active) -> Decision | None:
    """Move an attempt that no node has room for to hardware that is there now; None if that cannot or need not be.

    The next attempt is on record with its place before the objects of this one, which has not begun, are deleted.
    """
    if not seen.waiting.startswith(UNSCHEDULABLE):
        return None
    away = elsewhere(job, facts)
    if not isinstance(away, HardwareStatus):
        return away
    why = f"moved to {away.class_}: {seen.waiting}"
    return _resume(relocated(job, facts, away), facts, run, Lost(why, counted=False, resume_step=run.resumed_from_step))


def _show(job: TrainingJob, facts: Facts, run: RunStatus, *, seen: Active) -> Decision:
    """The status with what is new in it; else the next look."""
    since = next_second(facts.now) if run.held and not seen.held else run.active_since
    progress = job.status.progress if seen.progress is None else _progress(seen.progress)
    run = attrs.evolve(run, waiting=seen.waiting, held=seen.held, active_since=since)
    shown = attrs.evolve(job.status, progress=progress, run=run)
    if seen.child is not None:
        shown = evolve_attempt(shown, child=seen.child)
    return Wait(LOOK_AGAIN_SECONDS) if shown == job.status else Write(shown)


def _finish(job: TrainingJob, facts: Facts, run: RunStatus, progress: Progress) -> Decision:
    message = f"{counted(progress.epochs, 'epoch')}, {counted(progress.step, 'step')}, loss {progress.loss:g}"
    trained = Condition(phases.TRAINED, "True", "Finished", message)
    ended = attrs.evolve(
        close_attempt(job.status, "Succeeded", at=facts.now),
        progress=_progress(progress),
        run=attrs.evolve(run, finished_at=whole_second(facts.now), waiting="", held=False),
    )
    return move(attrs.evolve(job, status=ended), facts, "finish", trained)


def _resume(job: TrainingJob, facts: Facts, run: RunStatus, lost: Lost) -> Decision:
    attempt, retries = job.status.attempts[-1], job.spec.retries
    suspended = attempt.suspended and not lost.counted
    why = "it was suspended" if suspended else lost.why
    how = {"counted": lost.counted, "exit_code": code_of(lost)}
    closed = close_attempt(job.status, "Suspended" if suspended else "Lost", why, at=facts.now, **how)
    failures = run.failures + lost.counted
    if failures > retries.limit:
        fault = Fault("TrainerFailed", f"{lost.why}; {_lost(failures)}, {retries.limit} may be")
        return fail(attrs.evolve(job, status=closed), facts, phases.TRAINED, fault)
    number = run.attempt + 1
    again = attrs.evolve(
        run,
        attempt=number,
        op_id=operation_id(run.id, "train", number),
        failures=failures,
        resumed_from_step=lost.resume_step,
        waiting="",
    )
    now = whole_second(facts.now)
    due = now if suspended else begin_after(retries, again, attempt, lost, now=facts.now)
    message = f"run {run.id}, attempt {number} from step {lost.resume_step}: {why}"
    if due > now:
        message += f"; not before {due:%Y-%m-%dT%H:%M:%SZ}"
    running = Condition(phases.TRAINED, "Unknown", "Running", message)
    return move(attrs.evolve(job, status=open_attempt(closed, again, at=due)), facts, "resume", running)


def _lost(failures: int) -> str:
    return f"{counted(failures, 'attempt')} {'was' if failures == 1 else 'were'} lost"


def _progress(progress: Progress) -> ProgressStatus:
    return ProgressStatus(progress.epoch, progress.epochs, progress.step, progress.loss, progress.accuracy)
