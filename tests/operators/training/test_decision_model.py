"""The training operator's real decisions, with crashes between any two effects, stale reads and a rival replica."""

import functools
import re
from datetime import timedelta

import attrs
import pytest
from phase_models import Phases, honest_journal
from training_jobs import CARD, DATA, NOW, PASSING, PROGRESS, PUBLISHED, RESULT, new_job

from windlass.operators.training import decision as d
from windlass.operators.training.decision import Facts, current_phase, decide
from windlass.operators.training.executors.contract import Active, Done, Lost, NotStarted
from windlass.operators.training.gate.judging import Deliberating
from windlass.operators.training.gate.types import CheckSpec, GateSpec, GateStatus
from windlass.operators.training.phases import MACHINE
from windlass.operators.training.queues.places import Admitted
from windlass.operators.training.types import Retries, TrainingJobStatus
from windlass.statemachine.world import Act, Bounds, Program, Put, Setting

NEW = TrainingJobStatus()
STEERED = {"Suspended", "Cancelled"}
AFTER = {"Publishing", "Carding", "Succeeded"}
GATE = GateSpec((CheckSpec("robust", "fgsm"),))
OPEN = GateStatus("sha", passed=True, reason="Passed", message="all of them passed")
SHUT = attrs.evolve(OPEN, passed=False, reason="CheckFailed")


@attrs.frozen(cache_hash=True)
class Record:
    """What of the job ever changes."""

    status: TrainingJobStatus = NEW
    finalizers: tuple[str, ...] = ()
    generation: int = 1
    suspend: bool = False
    cancel: bool = False

    def __str__(self):
        return phase_of(self)


@attrs.frozen
class Outside:
    """The trainer of the newest attempt that was started, and whether the model is in the repository."""

    trainer: str = "none"
    attempt: int = 0
    published: bool = False
    gate: str = "not asked"

    def of(self, attempt):
        """A result and a lock are the run's, whichever attempt they are from; a loss is one attempt's."""
        return OBSERVED["none" if self.trainer in ("lost", "halted") and attempt != self.attempt else self.trainer]


def job_of(record, verdict=None):
    job = attrs.evolve(new_job(finalizers=record.finalizers, generation=record.generation), status=record.status)
    retries = Retries(limit=1, base=timedelta(0))
    spec = attrs.evolve(job.spec, retries=retries, suspend=record.suspend, cancel=record.cancel)
    return attrs.evolve(job, spec=spec if verdict is None else attrs.evolve(spec, gate=GATE))


@functools.cache
def phase_of(record):
    return current_phase(job_of(record))


PHASES = Phases(MACHINE, phase_of)
HONEST = honest_journal(MACHINE)


def deciding(*, passes, verdict=None):
    evaluation = PASSING if passes else attrs.evolve(PASSING, accuracy=0.1)

    @functools.cache
    def program(record, outside):
        """What the reconciler does with a decision, as effects of which any may be the last."""
        job, plan = job_of(record, verdict), []
        # A card is the same however often it is written.
        facts = Facts(now=NOW.replace(microsecond=0), card=CARD)
        for _ in range(8):
            decision = decide(job, facts)
            match decision:
                case d.Write(status):
                    return (*plan, Put(attrs.evolve(record, status=status)))
                case d.AddFinalizer():
                    return (*plan, Put(attrs.evolve(record, finalizers=(d.FINALIZER,))))
                case d.Start():
                    return (*plan, starting(record.status.run.attempt))
                case d.Retry() | d.Wait():
                    return tuple(plan)
                case d.Observe():
                    found = {"observation": outside.of(record.status.run.attempt)}
                case d.Evaluate():
                    found = {"evaluation": evaluation}
                case d.Judge():
                    found = {"gate": verdict if outside.gate == "ended" else Deliberating()}
                case d.Discard(runs):
                    found = {"discarded": facts.discarded | set(runs)}
                case _:
                    found = FOUND[type(decision)]
            plan += [ACTS[type(decision)]] if type(decision) in ACTS else []
            facts = attrs.evolve(facts, **found)
        raise AssertionError("no decision")

    return program


def starting(attempt):
    """Again is harmless: the lock of the run folder is taken, or the result is there (G2)."""

    def start(outside):
        busy = outside.trainer in ("active", "done")
        return outside if busy else attrs.evolve(outside, trainer="active", attempt=attempt)

    return Act(f"starts attempt {attempt}", start)


def halting(outside):
    return attrs.evolve(outside, trainer="halted") if outside.trainer == "active" else outside


def asking(outside):
    return attrs.evolve(outside, gate="asked") if outside.gate == "not asked" else outside


FOUND = {
    d.Verify: {"data": DATA},
    d.Publish: {"published": PUBLISHED},
    d.Enter: {"place": Admitted()},
    d.Halt: {"halted": True},
    d.Release: {"released": True},
}
ACTS = {
    d.Judge: Act("asks the gate", asking),
    d.Publish: Act("publishes", lambda outside: attrs.evolve(outside, published=True)),
    d.Halt: Act("halts the trainer", halting),
}


def gatekeeper(record, outside):
    """The trainer, and the gate that comes to its verdict, or is lost with the controller that carried it out."""
    yield from trainer(record, outside)
    if outside.gate == "asked":
        yield "the gate ends", record, attrs.evolve(outside, gate="ended")
        yield "the gate is lost", record, attrs.evolve(outside, gate="not asked")


def hesitant(record, outside):
    """The trainer, and a user who suspends the job at any moment, and lets it go on at any later one."""
    yield from trainer(record, outside)
    edited = attrs.evolve(record, generation=record.generation + 1)
    if record.generation == 1:
        yield "the user suspends the job", attrs.evolve(edited, suspend=True), outside
    if record.suspend:
        yield "the user lets the job go on", attrs.evolve(edited, suspend=False), outside


def resolute(record, outside):
    """The trainer, and a user who cancels the job at any moment."""
    yield from trainer(record, outside)
    if record.generation == 1:
        yield "the user cancels the job", attrs.evolve(record, generation=2, cancel=True), outside


OBSERVED = {
    "none": NotStarted(),
    "active": Active(PROGRESS),
    "lost": Lost("killed", counted=True, resume_step=7),
    "halted": Lost("the controller was restarted", counted=False, resume_step=7),
    "done": Done(RESULT),
}


def trainer(record, outside):
    """The trainer ends, or dies in its first attempt."""
    if outside.trainer == "active":
        yield "the trainer ends", record, attrs.evolve(outside, trainer="done")
        if outside.attempt == 1:
            yield "the trainer dies", record, attrs.evolve(outside, trainer="lost")


def intent_first(before, after):
    if after.outside.trainer == "active" and after.record.status.run is None:
        return "a trainer runs and no run is on record"
    return None


def proven_first(before, after):
    if after.outside.published and not (after.record.status.validation and after.record.status.validation.passed):
        return "a model was published that has not passed"
    return None


KSTATUS = {"Succeeded": "Current", "Failed": "Failed", "Cancelled": "Current", "Suspended": "Current"}


def told_apart(before, after):
    """What kubectl-like tools make of the job is what its phase says; reasons are single words."""
    return told_wrongly(after.record)


ALWAYS = {"intent before effect": intent_first, "an honest journal": HONEST, "kstatus": told_apart}


@functools.cache
def told_wrongly(record):
    job = job_of(record)
    found, expected = kstatus(job), KSTATUS.get(phase_of(record), "InProgress")
    if record.generation != record.status.observed_generation:
        expected = "InProgress"  # nobody has looked at the edit
    if found != expected:
        return f"kstatus takes it for {found}, expected {expected}"
    reasons = [one.reason for one in job.status.conditions]
    return next((f"{one} is no CamelCase word" for one in reasons if not re.fullmatch("[A-Z][A-Za-z0-9]*", one)), None)


def kstatus(job):
    """KS-1 to KS-5, as kstatus reads any object."""
    statuses = {one.type: one.status for one in job.status.conditions}
    if job.metadata.deletion_timestamp is not None:
        return "Terminating"
    if job.status.observed_generation != job.metadata.generation or statuses.get("Reconciling") == "True":
        return "InProgress"
    if statuses.get("Stalled") == "True":
        return "Failed"
    return "Current" if statuses.get("Ready", "True") == "True" else "InProgress"


@pytest.mark.parametrize("passes", [True, False], ids=["a good model", "a bad model"])
@pytest.mark.parametrize(
    ("replicas", "bounds"), [(1, Bounds(crashes=2, stale=2, versions=14)), (2, Bounds(crashes=1, stale=0, versions=14))]
)
def test_no_interleaving_skips_a_phase_leaves_the_end_or_publishes_what_has_not_passed(replicas, bounds, passes):
    """A1, G1, G3, B1; KS-1 to KS-5, C-27."""
    program = deciding(passes=passes)
    setting = Setting(
        programs=tuple(Program(f"replica {number}", program) for number in range(replicas)),
        record=Record(),
        outside=Outside(),
        bounds=bounds,
        environment=trainer,
    )
    held = ALWAYS | {"no model that has not passed": proven_first}

    reached = PHASES.reached("TrainingJob", setting, held)
    assert reached == set(MACHINE.states) - STEERED - {"Promoting"} - ({"Failed"} if passes else AFTER)


def at_rest(before, after):
    if after.outside.trainer == "active" and phase_of(after.record) in STEERED:
        return "a trainer works on a job that is suspended or cancelled"
    return None


@pytest.mark.parametrize(("user", "other"), [(hesitant, "Cancelled"), (resolute, "Suspended")])
def test_no_interleaving_leaves_a_trainer_at_work_on_a_job_that_is_suspended_or_cancelled(user, other):
    """A12, G1, G4: whenever the user changes his mind, and with a crash between any two effects."""
    setting = Setting(
        programs=(Program("controller", deciding(passes=True)),),
        record=Record(),
        outside=Outside(),
        bounds=Bounds(crashes=1, stale=0, versions=20),
        environment=user,
    )
    held = ALWAYS | {"nothing at work": at_rest}

    reached = PHASES.reached("TrainingJob, steered", setting, held)
    assert reached == set(MACHINE.states) - {"Failed", "Promoting", other}


def let_through_first(before, after):
    if after.outside.published and not (after.record.status.gate and after.record.status.gate.passed):
        return "a model was published that the gate has not let through"
    return None


@pytest.mark.parametrize("verdict", [OPEN, SHUT], ids=["an open gate", "a shut gate"])
def test_no_interleaving_publishes_what_the_gate_has_not_let_through(verdict):
    """A14, B1, G1: with a gate that is asked, lost with its controller, and asked again."""
    setting = Setting(
        programs=(Program("controller", deciding(passes=True, verdict=verdict)),),
        record=Record(),
        outside=Outside(),
        bounds=Bounds(crashes=1, stale=1, versions=14),
        environment=gatekeeper,
    )
    held = {
        "no model that the gate has not let through": let_through_first,
        "an honest journal": HONEST,
    }

    reached = PHASES.reached("TrainingJob with a gate", setting, held)
    assert reached == set(MACHINE.states) - STEERED - {"Promoting"} - ({"Failed"} if verdict.passed else AFTER)
