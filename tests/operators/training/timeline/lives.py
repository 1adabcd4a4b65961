"""Jobs with a past, made by the operator's own decisions at times that a test chooses."""

from datetime import UTC, datetime, timedelta

import attrs
from training_jobs import CARD, DATA, PASSING, PUBLISHED, RESULT, new_job

from windlass.informers.typed import ObjectMeta
from windlass.operators.promotion.types import (
    EndpointTarget,
    JournalEntry,
    ModelVersion,
    OperationStatus,
    Promotion,
    PromotionSpec,
    PromotionStatus,
    Release,
    Target,
)
from windlass.operators.training.decision import Facts, Write, decide
from windlass.operators.training.executors.contract import Done, Lost
from windlass.operators.training.gate.types import CheckStatus, GateSpec, GateStatus
from windlass.operators.training.queues.places import Admitted

BORN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def at(seconds):
    return BORN + timedelta(seconds=seconds)


def on(job, seconds, **seen):
    """The job after a decision that is made so many seconds after its birth."""
    decision = decide(job, Facts(now=at(seconds), place=Admitted(), **seen))
    assert isinstance(decision, Write), decision
    return attrs.evolve(job, status=decision.status)


def born(**metadata):
    return new_job(creation_timestamp=BORN, **metadata)


def checks():
    return (
        CheckStatus("robust", "fgsm", True, "Passed", "Robust", "attack success rate 0.081, at most 0.2", 360, 2.25),
        CheckStatus("steady", "sensitivity", True, "Passed", "Steady", "variance 0.0004 over 9 trials", 9, 31.0),
        CheckStatus("same-data", "drift", False, "Failed", "Drift", "population stability 0.31 of p20, at most 0.2"),
    )


def gated():
    """With a gate, and a trainer that is lost once."""
    job = born()
    job = attrs.evolve(job, spec=attrs.evolve(job.spec, gate=GateSpec()))
    job = on(job, 1)
    job = on(job, 3, data=DATA)
    job = on(job, 9)
    job = on(job, 64, observation=Lost("the trainer was killed by SIGKILL", counted=True, resume_step=40))
    job = on(job, 121, observation=Done(RESULT))
    verdict = GateStatus("sha", True, "Passed", "3 checks, 2 required, passed", checks())
    job = on(job, 157, evaluation=PASSING, gate=verdict)
    job = on(job, 158, published=PUBLISHED)
    return on(job, 159, card=CARD)


def promoted(*, back=False):
    """A promotion in two steps that begins after `gated` has ended."""
    moves = [("Shifting", 160), ("Holding", 171), ("Shifting", 201), ("Holding", 214)]
    moves += [("RollingBack", 230), ("RolledBack", 236)] if back else [("Promoting", 244), ("Succeeded", 256)]
    sources = ["Pending", *(target for target, _ in moves)]
    journal = tuple(
        JournalEntry(at(seconds), source, target, "cause", 1)
        for source, (target, seconds) in zip(sources, moves, strict=False)
    )
    weights = [("introduce", 10, 170), ("shift", 50, 213), ("restore", 0, 235) if back else ("complete", 100, 255)]
    operations = tuple(
        OperationStatus(name, f"op-{weight}", weight, "1", "d", at(seconds - 8), finished_at=at(seconds))
        for name, weight, seconds in weights
    )
    status = PromotionStatus(1, moves[-1][0], operations=operations, journal=journal)
    metadata = ObjectMeta(name="digits-1", namespace="default", creation_timestamp=at(158))
    release = Release("0" * 64, model=ModelVersion("digits", "4"))
    spec = PromotionSpec(Target(endpoint=EndpointTarget("http://127.0.0.1:8080", "digits")), release)
    return attrs.evolve(Promotion(spec=spec, status=status), metadata=metadata)
