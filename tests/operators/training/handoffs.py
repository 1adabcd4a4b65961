"""Jobs that ask for a promotion, and the Promotions of theirs."""

import attrs
from training_jobs import CARD, DATA, PROGRESS, RUN, job_in, new_job, write

from windlass.informers.typed import OwnerReference, structure
from windlass.operators.promotion.types import EndpointTarget, InferenceServiceTarget, Promotion, Step, Target
from windlass.operators.training.executors.contract import Done
from windlass.operators.training.gate.types import CheckSpec, CheckStatus, GateSpec, GateStatus
from windlass.operators.training.handoff.child import promotion_of
from windlass.operators.training.handoff.types import PromotionTemplate, ReleaseTemplate
from windlass.operators.training.publish import Published
from windlass.operators.training.runfolder import TrainingResult
from windlass.operators.training.validation import Evaluation
from windlass.statemachine.conditions import Condition

__all__ = ("CHECKED", "ENDPOINT", "GATE", "SERVICE", "SHA", "VERDICT", "asking", "made", "promoting", "seen_as")

SHA = "a" * 64
ENDPOINT = PromotionTemplate(Target(endpoint=EndpointTarget("http://digits:8080", "digits")), steps=(Step(10),))
SERVICE = PromotionTemplate(
    Target(inference_service=InferenceServiceTarget("digits")),
    ReleaseTemplate(storage_uri="s3://models/{model}/{version}?{sha256}#{run}"),
)
GATE = GateSpec((CheckSpec("robust", "fgsm"),))
CHECKED = CheckStatus("robust", "fgsm", True, "Passed", "Robust", "fine", 10, 0.1, "e" * 64)
VERDICT = GateStatus(SHA, passed=True, reason="Passed", message="all of them passed", checks=(CHECKED,))


def asking(job=None, *, promotion=ENDPOINT, gate=GATE):
    job = new_job() if job is None else job
    return attrs.evolve(job, spec=attrs.evolve(job.spec, promotion=promotion, gate=gate))


def promoting(promotion=ENDPOINT):
    """A job whose card is written and whose Promotion is on record, reached the way a real one is."""
    job = asking(job_in("Pending"), promotion=promotion)
    result = TrainingResult(RUN, SHA, (0, 1), PROGRESS, 2.0)
    way = (
        {},
        {"data": DATA},
        {},
        {"observation": Done(result)},
        {"evaluation": Evaluation(0.97, 360, SHA), "gate": VERDICT},
        {"published": Published("digits", 4, SHA, "file:///m/digits/4")},
        {"card": CARD},
    )
    for seen in way:
        job = write(job, **seen)
    return job


def made(job):
    """The Promotion as the server has it right after its creation."""
    found = structure(promotion_of(job), Promotion)
    owner = OwnerReference("ai.windlass.dev/v1alpha1", "TrainingJob", "digits", job.metadata.uid, True, True)
    return attrs.evolve(found, metadata=attrs.evolve(found.metadata, uid="promotion-1", owner_references=(owner,)))


_SAID = {
    "Pending": (),
    "Shifting": (("Accepted", "True"),),
    "Holding": (("Accepted", "True"), ("WeightReached", "True")),
    "Paused": (("Accepted", "True"), ("Paused", "True")),
    "Succeeded": (("Promoted", "True"),),
    "RolledBack": (("RolledBack", "True"), ("Promoted", "False")),
    "Interrupted": (("RolloutInterrupted", "True"), ("Promoted", "False")),
    "Failed": (("Promoted", "False"),),
}


def seen_as(promotion, phase, *, weight=10):
    """The Promotion after its operator has brought it to a phase."""
    conditions = tuple(Condition(kind, status, "SomeReason", "what was seen") for kind, status in _SAID[phase])
    status = attrs.evolve(promotion.status, phase=phase, conditions=conditions, weight=weight)
    return attrs.evolve(promotion, status=status)
