"""The Promotion of a job: what it says, how it is called, and that no other one is taken for it."""

import attrs
import pytest
from handoffs import CHECKED, ENDPOINT, GATE, SERVICE, SHA, VERDICT, asking, made, promoting, seen_as
from training_jobs import RUN, job_in, new_job

from windlass.informers.typed import structure
from windlass.operators.promotion.acceptance import fault_in
from windlass.operators.promotion.types import ModelVersion, Promotion, Step
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.evidence import digest_of
from windlass.operators.training.handoff.child import (
    OPERATION,
    Absent,
    Seen,
    fault_of,
    promotion_name,
    promotion_of,
    sighting_of,
)
from windlass.operators.training.handoff.types import ReleaseTemplate
from windlass.operators.training.identity import operation_id


def test_the_release_at_an_endpoint_is_the_published_model_and_the_gate_is_about_it():
    """A14: the verdict on this very model, and the evidence that it rests on."""
    spec = structure(promotion_of(promoting()), Promotion).spec

    assert (spec.release.model, spec.release.model_sha256) == (ModelVersion("digits", "4"), SHA)
    assert (spec.gate.verdict, spec.gate.model_sha256) == ("Passed", SHA)
    assert spec.gate.evidence_sha256 == digest_of(VERDICT)
    assert (spec.target, spec.steps, spec.guards) == (ENDPOINT.target, ENDPOINT.steps, ENDPOINT.guards)
    assert fault_in(spec, gate_required=True) is None, "its own operator has nothing against it"


def test_the_release_at_an_inference_service_is_what_the_template_makes_of_the_model():
    release = structure(promotion_of(promoting(SERVICE)), Promotion).spec.release

    assert release.storage_uri == f"s3://models/digits/4?{SHA}#{RUN}"
    assert (release.image, release.model, release.model_sha256) == (None, None, SHA)


def test_it_is_made_the_same_each_time_under_the_name_on_record():
    """G2."""
    job = promoting()
    body = promotion_of(job)

    assert body == promotion_of(job)
    assert body["metadata"]["name"] == job.status.promotion.name == f"digits-{RUN[:10]}"
    assert body["metadata"]["annotations"] == {OPERATION: operation_id(RUN, "promote", 1)}
    assert body["metadata"]["namespace"] == "default"
    assert "status" not in body


@pytest.mark.parametrize("job", ["a" * 253, "a" * 51 + ".b.c", "x"])
def test_every_name_of_a_job_makes_a_name_that_labels_may_have(job):
    name = promotion_name(job, RUN)

    assert len(name) <= 63
    assert name.removesuffix(f"-{RUN[:10]}")[-1].isalnum()


def test_other_evidence_has_another_digest():
    other = attrs.evolve(VERDICT, checks=(attrs.evolve(CHECKED, evidence_sha256="f" * 64),))

    assert len({digest_of(VERDICT), digest_of(other), digest_of(attrs.evolve(VERDICT, passed=False))}) == 3
    slower = attrs.evolve(CHECKED, duration_seconds=9.0)
    assert digest_of(VERDICT) == digest_of(attrs.evolve(VERDICT, checks=(slower,))), "time is no evidence"


def test_what_is_not_on_record_makes_no_promotion():
    with pytest.raises(RuntimeError, match="no promotion, model or verdict"):
        promotion_of(asking(job_in("Running")))


def test_a_job_without_a_promotion_has_nothing_wrong_with_it():
    assert fault_of(new_job().spec) is None
    assert fault_of(asking().spec) is None
    assert fault_of(asking(promotion=SERVICE).spec) is None


@pytest.mark.parametrize(
    ("promotion", "gate", "words"),
    [
        (ENDPOINT, None, "promotion: expected a gate, too"),
        (attrs.evolve(SERVICE, release=None), GATE, "promotion.release: expected a release"),
        (attrs.evolve(ENDPOINT, release=SERVICE.release), GATE, "promotion.release: expected no release"),
        (
            attrs.evolve(SERVICE, release=ReleaseTemplate(image="digits:{tag}")),
            GATE,
            "expected places out of {model}, {version}, {sha256}, {run}, found {tag}",
        ),
        (
            attrs.evolve(ENDPOINT, steps=(Step(50), Step(10))),
            GATE,
            "promotion: steps: expected weights that rise, found [50, 10]",
        ),
    ],
    ids=["no gate", "no release", "a release too many", "an unknown place", "steps that fall"],
)
def test_what_could_never_be_promoted_is_known_before_anything_is_trained(promotion, gate, words):
    fault = fault_of(asking(promotion=promotion, gate=gate).spec)

    assert (fault.reason, fault.retryable) == ("InvalidPromotion", False)
    assert words in fault.message


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        ("Pending", None),
        ("Shifting", None),
        ("Holding", None),
        ("Paused", None),
        ("Succeeded", True),
        ("RolledBack", False),
        ("Interrupted", False),
        ("Failed", False),
    ],
)
def test_the_jobs_own_promotion_is_seen_in_its_phase(phase, outcome):
    job = promoting()

    seen = sighting_of(job, seen_as(made(job), phase, weight=10))

    assert isinstance(seen, Seen)
    assert (seen.uid, seen.phase, seen.weight, seen.outcome) == ("promotion-1", phase, 10, outcome)


def _without_owner(found):
    return attrs.evolve(found, metadata=attrs.evolve(found.metadata, owner_references=()))


def _of_another_life(found):
    owners = tuple(attrs.evolve(one, uid="uid-2") for one in found.metadata.owner_references)
    return attrs.evolve(found, metadata=attrs.evolve(found.metadata, owner_references=owners))


def _of_another_operation(found):
    return attrs.evolve(found, metadata=attrs.evolve(found.metadata, annotations={OPERATION: "another"}))


@pytest.mark.parametrize("change", [_without_owner, _of_another_life, _of_another_operation])
def test_an_object_of_the_name_that_is_not_of_this_operation_is_never_adopted(change):
    """G2: only with our uid and our operation id."""
    job = promoting()

    found = sighting_of(job, change(made(job)))

    assert isinstance(found, Fault)
    assert (found.reason, found.retryable) == ("NameConflict", False)


def test_nothing_there_is_nothing_seen():
    assert sighting_of(promoting(), None) == Absent()
