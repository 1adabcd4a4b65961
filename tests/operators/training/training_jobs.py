"""A job in each phase, reached the way a real one is: by decisions, from what is seen."""

from datetime import UTC, datetime

import attrs

from windlass.informers.typed import ObjectMeta, structure
from windlass.operators.training import decision as d
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.decision import FINALIZER, Facts, decide
from windlass.operators.training.executors.contract import Broken, Done, Fault
from windlass.operators.training.identity import run_id
from windlass.operators.training.publish import Published
from windlass.operators.training.queues.places import Admitted
from windlass.operators.training.runfolder import Progress, TrainingResult
from windlass.operators.training.sample import sample_job
from windlass.operators.training.types import TrainingJob
from windlass.operators.training.validation import Evaluation
from windlass.statemachine.conditions import Conditions

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
UID = "uid-1"
RUN = run_id(UID, 1)
DATA = DataRecord("file:///t", "table-a", 0, "digest", 1, 1797)
PROGRESS = Progress(300, 300, 53_700, 0.06, 0.99)
RESULT = TrainingResult(RUN, "sha", (0, 1), PROGRESS, 2.0)
FAULT = Fault("SomeReason", "what happened")
PASSING = Evaluation(0.97, 360, "sha")
PUBLISHED = Published("digits", 4, "sha", "file:///m/digits/4")
CARD = "file:///cards/1/README.md"

# The way to success: what is seen in each phase.
WAY = {
    "Pending": {},
    "VerifyingData": {"data": DATA},
    "Queued": {"place": Admitted()},
    "Running": {"observation": Done(RESULT)},
    "Validating": {"evaluation": PASSING},
    "Publishing": {"published": PUBLISHED},
    "Carding": {"card": CARD},
}
PHASES = (*WAY, "Succeeded")


def new_job(**metadata) -> TrainingJob:
    job = structure(sample_job("file:///t"), TrainingJob)
    meta = ObjectMeta(name="digits", namespace="default", uid=UID, generation=1, finalizers=(FINALIZER,))
    return attrs.evolve(job, metadata=attrs.evolve(meta, **metadata))


def facts(**seen) -> Facts:
    return Facts(now=NOW, **seen)


def write(job, **seen):
    """The job after a decision that must be a write. There is a place for it unless `seen` says otherwise."""
    decision = decide(job, facts(**({"place": Admitted()} | seen)))
    assert isinstance(decision, d.Write), decision
    return attrs.evolve(job, status=decision.status)


def job_in(phase) -> TrainingJob:
    job = new_job()
    for step, seen in WAY.items():
        if step == phase:
            return job
        job = write(job, **seen)
    return job


def failed() -> TrainingJob:
    return write(job_in("Running"), observation=Broken(FAULT))


def condition(job, kind):
    return Conditions.of(job.status.conditions).get(kind)


def edited(job, **spec):
    """The job after an edit of its spec by a user."""
    metadata = attrs.evolve(job.metadata, generation=job.metadata.generation + 1)
    return attrs.evolve(job, metadata=metadata, spec=attrs.evolve(job.spec, **spec))


def with_new_spec(job):
    """The job after an edit that asks for other work."""
    return edited(job, seed=job.spec.seed + 1)
