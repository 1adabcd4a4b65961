"""The stretch from the card to the end of the promotion, with crashes between any two effects."""

import functools

import attrs
from handoffs import promoting
from phase_models import Phases
from training_jobs import CARD, NOW

from windlass.operators.training import decision as d
from windlass.operators.training.decision import Facts, current_phase, decide
from windlass.operators.training.handoff.child import Absent, Seen
from windlass.operators.training.phases import MACHINE
from windlass.statemachine.world import Act, Bounds, Program, Put, Setting

JOB = promoting()
SIGHTS = {
    "absent": Absent(),
    "going": Seen("promotion-1", "Shifting", 10, "Shifting", "to 10 %"),
    "succeeded": Seen("promotion-1", "Succeeded", 100, "Promoted", "it serves everything", outcome=True),
    "rolled back": Seen("promotion-1", "RolledBack", 0, "NotReady", "it does not answer", outcome=False),
    "deleted": Absent(),
}


@attrs.frozen
class Outside:
    """The Promotion of the recorded name, and how often it was created."""

    promotion: str = "absent"
    created: int = 0


@attrs.frozen(cache_hash=True)
class Record:
    """What of the job ever changes here."""

    status: object = JOB.status

    def __str__(self):
        return phase_of(self)


@functools.cache
def phase_of(record):
    return current_phase(attrs.evolve(JOB, status=record.status))


def create(outside):
    """Again is harmless: the name is taken (G2).

    One that was deleted is not made again here. A controller could, if it read the job as it was before it had seen the
    promotion; that it reads its own writes is what keeps it from that, and no part of these decisions.
    """
    return Outside("going", outside.created + 1) if outside.promotion == "absent" else outside


@functools.cache
def program(record, outside):
    """What the reconciler does with its decisions, as effects of which any may be the last."""
    job, plan = attrs.evolve(JOB, status=record.status), []
    facts = Facts(now=NOW.replace(microsecond=0), card=CARD)
    for _ in range(4):
        match decide(job, facts):
            case d.Write(status):
                return (*plan, Put(Record(status)))
            case d.LookAtPromotion():
                facts = attrs.evolve(facts, promotion=SIGHTS[outside.promotion])
            case d.CreatePromotion():
                plan.append(Act("creates the promotion", create))
                facts = attrs.evolve(facts, promotion=SIGHTS["going"])
            case d.Wait():
                return tuple(plan)
    raise AssertionError("no decision")


def others(record, outside):
    """The promotion comes to an end, or somebody deletes it once it is on record that it was seen.

    One that is deleted before anybody saw it is made again: nothing tells it from one that never was.
    """
    if outside.promotion == "going":
        yield "the promotion succeeds", record, attrs.evolve(outside, promotion="succeeded")
        yield "the promotion is taken back", record, attrs.evolve(outside, promotion="rolled back")
        if record.status.promotion.uid:
            yield "somebody deletes the promotion", record, attrs.evolve(outside, promotion="deleted")


def created_once(before, after):
    return "the promotion was created twice" if after.outside.created > 1 else None


def ends_with_it(before, after):
    ended = phase_of(after.record)
    if ended == "Succeeded" and after.outside.promotion != "succeeded":
        return f"the job succeeded, and its promotion is {after.outside.promotion}"
    if ended == "Failed" and after.outside.promotion in ("absent", "going", "succeeded"):
        return f"the job failed, and its promotion is {after.outside.promotion}"
    return None


def still_published(before, after):
    """What was published stays, whatever becomes of the promotion (A14)."""
    return None if after.record.status.model == JOB.status.model else "the published model is forgotten"


def test_no_interleaving_promotes_twice_or_ends_otherwise_than_the_promotion():
    """G1, G2, G3, A14."""
    setting = Setting(
        programs=(Program("controller", program),),
        record=Record(),
        outside=Outside(),
        bounds=Bounds(crashes=3, stale=0, versions=8),
        environment=others,
    )
    held = {
        "one promotion": created_once,
        "the end of the promotion": ends_with_it,
        "the model stays": still_published,
    }

    reached = Phases(MACHINE, phase_of).reached("TrainingJob, promoting", setting, held)
    assert reached == {"Promoting", "Succeeded", "Failed"}
