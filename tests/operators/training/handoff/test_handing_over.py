"""From the published model to the end of its promotion: one card, one Promotion, and what its end means for the job."""

import attrs
import pytest
from handoffs import SHA, VERDICT, asking, made, promoting, seen_as
from training_jobs import CARD, NOW, RUN, condition, facts, job_in, with_new_spec, write

from windlass.operators.training import decision as d
from windlass.operators.training.decision import decide
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.handoff.child import Absent, sighting_of
from windlass.operators.training.handoff.types import PromotionRecord
from windlass.operators.training.identity import operation_id
from windlass.operators.training.story import tellings


def following(phase, *, weight=10):
    job = promoting()
    return write(job, promotion=sighting_of(job, seen_as(made(job), phase, weight=weight)))


def test_the_promotion_is_on_record_before_it_is_created():
    """G1, G2."""
    job = promoting()

    assert job.status.phase == "Promoting"
    assert job.status.promotion == PromotionRecord(
        f"digits-{RUN[:10]}", operation_id(RUN, "promote", 1), NOW.replace(microsecond=0)
    )
    assert (condition(job, "Carded").status, condition(job, "Promoted").status) == ("True", "Unknown")
    assert job.status.model.card == CARD
    assert d.LookAtPromotion() == decide(job, facts())
    assert d.CreatePromotion() == decide(job, facts(promotion=Absent()))


def test_a_job_that_asks_for_no_promotion_says_nothing_of_one():
    job = job_in("Succeeded")

    assert job.status.promotion is None
    assert condition(job, "Promoted") is None


def test_a_model_that_the_gate_has_not_let_through_is_not_promoted():
    """A14: the verdict is about this very model."""
    job = asking(job_in("Carding"))
    for verdict in (None, attrs.evolve(VERDICT, model_sha256="b" * 64), attrs.evolve(VERDICT, passed=False)):
        status = attrs.evolve(job.status, gate=verdict, model=attrs.evolve(job.status.model, sha256=SHA))
        ended = write(attrs.evolve(job, status=status), card=CARD)

        assert (ended.status.phase, ended.status.promotion) == ("Failed", None)
        assert condition(ended, "Promoted").reason == "GateClosed"


@pytest.mark.parametrize("phase", ["Pending", "Shifting", "Holding", "Paused"])
def test_a_promotion_that_goes_on_is_shown_once_and_then_waited_for(phase):
    job = following(phase)

    assert job.status.phase == "Promoting"
    assert (condition(job, "Promoted").status, condition(job, "Promoted").reason) == ("Unknown", phase)
    assert (job.status.promotion.uid, job.status.promotion.phase, job.status.promotion.weight) == (
        "promotion-1",
        phase,
        10,
    )
    assert d.Wait() == decide(job, facts(promotion=sighting_of(job, seen_as(made(job), phase))))


def test_the_job_succeeds_with_its_promotion():
    job = following("Succeeded", weight=100)

    assert (job.status.phase, job.status.promotion.weight) == ("Succeeded", 100)
    assert job.status.promotion.finished_at == NOW.replace(microsecond=0)
    assert condition(job, "Succeeded").message == "what was seen"
    assert [one.reason for one in tellings(job)][-3:] == ["Published", "Promoting", "Succeeded"]


@pytest.mark.parametrize("phase", ["RolledBack", "Interrupted", "Failed"])
def test_the_job_fails_with_its_promotion_and_what_was_published_stays(phase):
    job = following(phase)

    assert (job.status.phase, job.status.model.version) == ("Failed", 4)
    for kind in ("Promoted", "Succeeded"):
        found = condition(job, kind)
        assert (found.status, found.reason, found.message) == (
            "False",
            f"Promotion{phase}",
            "SomeReason: what was seen",
        )
    assert condition(job, "Published").status == "True"


def test_a_promotion_that_was_deleted_is_not_created_a_second_time():
    """G3."""
    job = write(following("Holding"), promotion=Absent())

    assert (job.status.phase, condition(job, "Promoted").reason) == ("Failed", "PromotionDeleted")


def test_a_namesake_in_the_place_of_the_one_that_was_seen_is_not_followed():
    job = following("Holding")
    other = attrs.evolve(sighting_of(job, seen_as(made(job), "Succeeded")), uid="promotion-2")

    assert condition(write(job, promotion=other), "Promoted").reason == "PromotionDeleted"


def test_an_object_of_the_name_that_is_not_the_jobs_is_a_conflict():
    """G2."""
    job = write(promoting(), promotion=Fault("NameConflict", "it is another's"))

    assert (job.status.phase, condition(job, "Promoted").reason) == ("Failed", "NameConflict")


def test_what_may_be_allowed_again_is_said_and_waited_for():
    fault = Fault("PromotionNotAllowed", "no more", retryable=True)
    job = write(promoting(), promotion=fault)

    assert (job.status.phase, condition(job, "Promoted").reason) == ("Promoting", "PromotionNotAllowed")
    assert d.Retry("no more") == decide(job, facts(promotion=fault))


def test_a_card_that_cannot_be_written_never_denies_the_model_that_is_published():
    """A13: whatever the fault says of itself."""
    job = write(job_in("Carding"), card=Fault("TableNotFound", "gone"))

    assert (job.status.phase, condition(job, "Carded").status) == ("Carding", "Unknown")
    assert write(job, card=CARD).status.phase == "Succeeded"


def test_a_new_spec_has_the_older_promotion_taken_back_first():
    """A14: training anew invalidates."""
    job = with_new_spec(following("Holding"))
    gone = frozenset({RUN})

    assert d.WithdrawPromotion() == decide(job, facts(discarded=gone))
    job = write(job, discarded=gone, withdrawn=True)
    assert (job.status.phase, job.status.promotion) == ("VerifyingData", None)


@pytest.mark.parametrize("phase", ["Succeeded", "RolledBack"])
def test_a_promotion_that_has_ended_is_not_taken_back_by_a_new_spec(phase):
    job = write(with_new_spec(following(phase)), discarded=frozenset({RUN}))

    assert job.status.phase == "VerifyingData"


@pytest.mark.parametrize("phase", ["Carding", "Promoting"])
def test_a_phase_whose_record_is_gone_is_said_and_nothing_is_done(phase):
    """G4."""
    job = promoting() if phase == "Promoting" else asking(job_in("Carding"))
    job = attrs.evolve(job, status=attrs.evolve(job.status, promotion=None, model=None))

    assert condition(write(job), "Succeeded").reason == "StateCorrupt"
