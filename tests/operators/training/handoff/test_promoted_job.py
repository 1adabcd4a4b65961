"""A job from its data to the traffic of an endpoint, on real servers, and how else its promotion can end."""

import asyncio

import aiohttp
import attrs
import pytest
from promoting_house import condition, open_house, said

from windlass.envtest.workloads.kserve import InferenceService, KServe
from windlass.informers.keys import Key
from windlass.informers.requests import WriteOptions
from windlass.operators.promotion import Promotion
from windlass.operators.training import TrainingJob
from windlass.operators.training.gate.evidence import digest_of, evidence_fault
from windlass.operators.training.handoff.child import OPERATION, promotion_name
from windlass.operators.training.identity import run_id

pytestmark = pytest.mark.realtime(limit=120)
TOLD = sorted(
    ("VerifyingData", "DataVerified", "TrainingStarted", "Trained", "Validated", "Published", "Promoting", "Succeeded")
)
HELD = [{"weight": 10, "duration": "10m0s"}]


async def weights(home):
    """What the endpoint's route asks for: each version with its share."""
    url = f"{home.endpoint.url}/v2/traffic/blobs"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return {arm["version"]: arm["weight"] for arm in (await response.json())["route"]["arms"]}


def promoted(home, **changes):
    return {"target": {"endpoint": {"url": home.endpoint.url, "route": "blobs"}}, **changes}


@pytest.mark.parametrize("server", ["embedded", "kubernetes"])
async def test_a_job_ends_when_its_model_has_all_of_the_traffic(lab, server):
    """A1, A14, G2: one child of the job's, with the job's own verdict."""
    async with open_house(lab, server) as home:
        async with home.controller():
            await home.apply()
            found = await home.ended()
        (made,) = await home.promotions()
        told = await home.told(found.metadata.uid)
        split = await weights(home)

    status = found.status
    assert status.phase == "Succeeded", status.conditions
    assert (status.model.version, split) == (2, {"2": 100})
    assert [entry.target for entry in status.journal][-4:] == ["Publishing", "Carding", "Promoting", "Succeeded"]
    assert [condition(found, kind).status for kind in ("Published", "Carded", "Promoted")] == ["True"] * 3
    assert (status.promotion.uid, status.promotion.phase, status.promotion.weight) == (
        made.metadata.uid,
        "Succeeded",
        100,
    )
    assert [one.uid for one in made.metadata.owner_references if one.controller] == [found.metadata.uid]
    assert made.metadata.annotations[OPERATION] == status.promotion.op_id
    gate = made.spec.gate
    assert (gate.verdict, gate.model_sha256, gate.evidence_sha256) == (
        "Passed",
        status.model.sha256,
        digest_of(status.gate),
    )
    assert evidence_fault(status.gate, home.settings.evidence / status.run.id) is None
    assert [entry.target for entry in made.status.journal if entry.target == "Holding"] == ["Holding"] * 2
    assert sorted(told) == TOLD


async def test_a_promotion_that_is_taken_back_fails_its_job_and_leaves_what_was_published(lab):
    async with open_house(lab) as home, home.controller():
        # Nobody asks the endpoint for anything, so there is nothing to divide by, which is no pass.
        metric = {"metric": "windlass_serving_arm_requests_total"}
        check = {"name": "errors", "url": f"{home.endpoint.url}/metrics", "series": metric, "per": metric, "atMost": 0}
        guards = {"failureGrace": "0s", "progressDeadline": "0s", "metrics": [check]}
        await home.apply(promotion=promoted(home, guards=guards, steps=[{"weight": 10, "duration": "0s"}]))
        found = await home.ended()

        assert (found.status.phase, condition(found, "Promoted").reason) == ("Failed", "PromotionRolledBack"), found
        told = condition(found, "Succeeded").message
        assert told.startswith(("ProgressDeadlineExceeded: ", "ChecksInconclusive: ", "NotReady: ")), told
        assert (found.status.model.version, await weights(home)) == (2, {"1": 100})
        assert (home.settings.models / "blobs" / "2" / "model.json").exists()


async def test_a_pause_is_seen_and_an_abort_ends_the_job(lab):
    async with open_house(lab) as home, home.controller():
        await home.apply(promotion=promoted(home, steps=HELD))
        found = await home.until(said("Promoted", "Holding"))
        assert await weights(home) == {"1": 90, "2": 10}

        await home.steer(found, mode="Paused")
        await home.until(said("Promoted", "Paused"))
        await home.steer(found, mode="Aborted")
        found = await home.ended()

        assert condition(found, "Succeeded").reason == "PromotionRolledBack"
        assert "Aborted" in condition(found, "Succeeded").message
        assert await weights(home) == {"1": 100}


async def test_a_new_spec_takes_the_older_promotion_back_and_promotes_its_own_model(lab):
    """A14: training anew invalidates."""
    async with open_house(lab) as home, home.controller():
        await home.apply(promotion=promoted(home, steps=HELD))
        first = await home.until(said("Promoted", "Holding"))
        change = {"hyperparameters": {"epochs": 3}, "promotion": {"steps": [{"weight": 50, "duration": "0s"}]}}
        await home.api.patch(TrainingJob, home.key, {"spec": change})
        second = await home.until(lambda found: found.status.observed_generation == 2 and found.status.model)
        second = await home.ended()

        assert (second.status.phase, second.status.model.version, await weights(home)) == ("Succeeded", 3, {"3": 100})
        ends = {one.metadata.name: one.status.phase for one in await home.promotions()}
        assert ends == {first.status.promotion.name: "RolledBack", second.status.promotion.name: "Succeeded"}


async def test_somebody_elses_promotion_of_the_name_is_a_conflict_and_stays_as_it_is(lab):
    """G2."""
    async with open_house(lab) as home:
        await home.apply()
        uid = (await home.job()).metadata.uid
        name = promotion_name("blobs", run_id(uid, 1))
        digests = {"modelSha256": "a" * 64, "evidenceSha256": "b" * 64}
        body = {
            "apiVersion": "ai.windlass.dev/v1alpha1",
            "kind": "Promotion",
            "metadata": {"name": name},
            "spec": {
                "target": {"inferenceService": {"name": "other"}},
                "release": {"image": "other:1", "modelSha256": "a" * 64},
                "gate": {"verdict": "Passed", **digests},
                "mode": "Paused",
            },
        }
        await home.api.create(Promotion, body, namespace=home.namespace, options=WriteOptions("other"))
        async with home.controller():
            found = await home.ended()
        (theirs,) = await home.promotions()

    assert (found.status.phase, condition(found, "Promoted").reason) == ("Failed", "NameConflict")
    assert theirs.metadata.owner_references == ()
    assert theirs.spec.mode == "Paused"


async def test_where_the_operators_owner_allows_no_promotions_nothing_is_trained(lab):
    async with open_house(lab) as home:
        home.settings = attrs.evolve(home.settings, promotions=False)
        async with home.controller():
            await home.apply()
            found = await home.ended()

    assert (condition(found, "Accepted").reason, found.status.run) == ("PromotionNotAllowed", None)


async def test_an_inference_service_gets_the_published_model_by_its_template(lab):
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "blobs", "annotations": {"serving.kserve.io/deploymentMode": "Knative"}},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://models/blobs/1"}}},
    }
    async with open_house(lab) as home, KServe(home.cluster, namespace=home.namespace):
        await home.service(service)
        async with asyncio.timeout(30), home.controller():
            target = {"inferenceService": {"name": "blobs"}}
            release = {"storageUri": "s3://models/{model}/{version}"}
            steps = [{"weight": 10, "duration": "0s"}]
            await home.apply(promotion={"target": target, "release": release, "steps": steps})
            found = await home.ended()
        served = (await home.api.get(InferenceService, Key(home.namespace, "blobs"))).to_dict()

    assert found.status.phase == "Succeeded", found.status.conditions
    assert served["spec"]["predictor"]["model"]["storageUri"] == "s3://models/blobs/2"
