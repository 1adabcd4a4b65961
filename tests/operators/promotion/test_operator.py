"""A promotion on a real API server and the embedded one, from its creation to each of its ends."""

import asyncio

import attrs
import pytest
from accounts import restricted
from aiohttp import web
from promotion_house import FINAL, condition, open_house, promotion, ready, service, serving, split

from windlass.controller import Manager
from windlass.envtest.workloads.kserve import Behaviour, InferenceService
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.operators.promotion import Promotion, setup

pytestmark = pytest.mark.realtime

FIRST, SECOND, THIRD = (f"digits-predictor-{number:05d}" for number in (1, 2, 3))
BOTH = pytest.mark.parametrize("server", ["embedded", "kubernetes"])


@BOTH
async def test_in_knative_mode_the_candidate_takes_over_step_by_step(server):
    """A16: each weight is seen in the target before the next one is asked for."""
    async with open_house(server) as home, home.controller():
        await home.serving()

        await home.create(promotion())
        status = await home.ended()

        assert status.phase == "Succeeded", status.journal[-1]
        assert (status.previous.revision, status.candidate.revision) == (FIRST, SECOND)
        found = await home.service()
        assert split(found) == {SECOND: 100}
        assert found["spec"]["predictor"] == service(storage="s3://models/digits/2")["spec"]["predictor"]
        assert found["metadata"]["generation"] == 4, "introduced, shifted, completed: three writes and no more"
        assert [one.name for one in status.operations] == ["introduce", "shift", "complete"]
        assert [entry.target for entry in status.journal] == [
            "Shifting",
            "Holding",
            "Shifting",
            "Holding",
            "Promoting",
            "Succeeded",
        ]


@BOTH
async def test_in_standard_mode_the_canary_becomes_the_stable_predictor(server):
    """A16, by `spec.canary` and `canaryStatuses`; the percent that Knative knows is not written."""
    async with open_house(server) as home, home.controller():
        await home.serving(service(mode="Standard"))

        await home.create(promotion(steps=[(0, "0s"), (25, "0s")]))
        status = await home.ended()

        assert status.phase == "Succeeded", status.journal[-1]
        found = await home.service()
        expected = service(storage="s3://models/digits/2")["spec"]["predictor"]
        name = found["spec"]["predictor"]["name"]
        assert found["spec"] == {"predictor": {**expected, "name": name}}, "no canary and no percent is left"
        assert (status.previous.revision, status.candidate.revision) == (
            "digits-predictor",
            f"digits-{name}-predictor",
        )
        assert found["metadata"]["generation"] == 4


@BOTH
async def test_a_model_that_cannot_be_loaded_is_taken_back_to_the_previous_weights_and_release(server):
    """A16: recorded with both revisions."""
    async with open_house(server, {"digits/2": Behaviour(fails="load")}) as home, home.controller():
        await home.serving()
        before = (await home.service())["spec"]

        await home.create(promotion())
        status = await home.ended()

        assert (status.phase, condition(status, "RolledBack").reason) == ("RolledBack", "BlockedByFailedLoad")
        assert f"from {SECOND} back to {FIRST}" in condition(status, "RolledBack").message
        found = await home.service()
        assert (found["spec"], split(found)) == (before, {THIRD: 100})
        assert [one.name for one in status.operations] == ["introduce", "withdraw", "restore"]


@BOTH
async def test_somebody_elses_edit_interrupts_and_nothing_more_is_written(server):
    """A18."""
    async with open_house(server) as home, home.controller():
        await home.serving()
        await home.create(promotion(steps=[(10, "1h")]))
        await home.reach("Holding")

        await home.edit({"spec": {"predictor": {"minReplicas": 2}}})
        status = await home.ended()

        assert (status.phase, condition(status, "RolloutInterrupted").reason) == ("Interrupted", "TargetChanged")
        found = await home.service()
        assert found["spec"]["predictor"]["canaryTrafficPercent"] == 10
        assert found["metadata"]["generation"] == 3
        await home.steer(mode="Aborted")
        await asyncio.sleep(0.3)  # a write that must not come cannot be waited for
        assert (await home.service())["metadata"]["generation"] == 3


@BOTH
async def test_fields_and_owners_of_others_survive(server):
    """A15: annotations, replicas, and who manages them."""
    async with open_house(server) as home, home.controller():
        await home.serving()
        await home.edit({"metadata": {"annotations": {"team": "vision"}, "labels": {"tier": "gold"}}})

        await home.create(promotion(steps=[(10, "0s")]))
        await home.reach("Holding")
        await home.edit({"metadata": {"annotations": {"oncall": "ada"}}})
        status = await home.ended()

        assert status.phase == "Succeeded", "an annotation is no change of what was asked for"
        found = await home.service()
        assert {"team": "vision", "oncall": "ada"}.items() <= found["metadata"]["annotations"].items()
        assert found["metadata"]["labels"] == {"tier": "gold"}
        owned = (await home.managers())["windlass"]
        assert owned == {"f:predictor": {"f:model": {"f:storageUri": {}}}}


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
async def test_a_first_deployment_goes_to_everything_at_once_and_says_so(mode):
    """A17."""
    async with open_house(script={"digits/1": Behaviour(fails="unready")}) as home, home.controller():
        await home.create(service(mode=mode))
        await home.service_until(lambda found: found.get("status", {}).get("deploymentMode"))

        await home.create(promotion())
        status = await home.ended()

        assert status.phase == "Succeeded", status.journal[-1]
        assert [one.name for one in status.operations] == ["deploy"]
        assert status.journal[0].reason == "FirstDeployment"
        assert "without a canary" in condition(status, "Promoted").message
        found = await home.service()
        assert found["spec"]["predictor"] == service(storage="s3://models/digits/2")["spec"]["predictor"]


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
async def test_a_first_deployment_that_fails_puts_the_release_back(mode):
    async with open_house(script={"digits/": Behaviour(fails="load")}) as home, home.controller():
        await home.create(service(mode=mode))
        await home.service_until(lambda found: found.get("status", {}).get("deploymentMode"))

        await home.create(promotion())
        status = await home.ended()

        assert (status.phase, condition(status, "RolledBack").reason) == ("RolledBack", "BlockedByFailedLoad")
        assert (await home.service())["spec"] == service()["spec"]


@pytest.mark.parametrize(
    ("mode", "behaviour", "reason"),
    [
        ("Standard", Behaviour(fails="load"), "BlockedByFailedLoad"),
        ("Standard", Behaviour(fails="unready"), "NotReady"),
        ("Knative", Behaviour(fails="unready"), "NotReady"),
        ("Standard", Behaviour(ready_seconds=3600), "ProgressDeadlineExceeded"),
        ("Knative", Behaviour(leak=5), "ProgressDeadlineExceeded"),
    ],
    ids=["load", "unready", "unready in Knative", "slow", "leak"],
)
async def test_each_way_to_fail_leads_back_with_its_own_reason(mode, behaviour, reason):
    async with open_house(script={"digits/2": behaviour}) as home, home.controller():
        await home.serving(service(mode=mode))

        deadline = "0s" if reason == "ProgressDeadlineExceeded" else "1m"
        await home.create(promotion(steps=[(20, "0s")], guards={"progressDeadline": deadline}))
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", reason)
        found = await home.service()
        assert found["spec"] == service()["spec"]
        assert ready(found)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(Behaviour(fails="spec"), "InvalidSpec"), (Behaviour(fails="silent"), "ProgressDeadlineExceeded")],
    ids=["spec", "silent"],
)
async def test_a_candidate_that_was_never_seen_is_taken_back_with_patience(behaviour, reason):
    """In Knative mode nobody can then say which revision is the candidate's."""
    async with open_house(script={"digits/2": behaviour}) as home, home.controller():
        await home.serving()

        await home.create(promotion(steps=[(20, "0s")], guards={"progressDeadline": "0s"}))
        status = await home.ended()

        assert (status.phase, status.candidate) == ("RolledBack", None)
        assert status.cause.reason in (reason, "ProgressDeadlineExceeded")
        assert (await home.service())["spec"] == service()["spec"]


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
async def test_a_candidate_that_breaks_while_its_weight_is_held_is_taken_back(mode):
    async with open_house() as home, home.controller():
        await home.serving(service(mode=mode))
        await home.create(promotion(steps=[(20, "1h")]))
        await home.reach("Holding")

        home.kserve.change("digits/2", Behaviour(breaks=True))
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "NotReady")
        assert (await home.service())["spec"] == service()["spec"]


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
async def test_pause_keeps_the_weights_resume_goes_on_and_abort_takes_back(mode):
    async with open_house() as home, home.controller():
        await home.serving(service(mode=mode))
        await home.create(promotion(steps=[(10, "0s"), (20, "1h")]))
        await home.until(lambda status: (status.phase, status.weight) == ("Holding", 20))

        await home.steer(mode="Paused")
        await home.reach("Paused")
        await home.steer(mode="Run")
        status = await home.reach("Holding")
        assert status.weight == 20
        await home.steer(mode="Aborted")
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "Aborted")
        assert (await home.service())["spec"] == service()["spec"]


async def test_an_abort_before_a_slow_kserve_has_acted_never_gives_the_candidate_more_than_its_share():
    """Between the record, the write and what KServe makes of it nothing may be taken for granted."""
    async with open_house(lag_seconds=0.3) as home, home.controller():
        await home.serving()
        await home.create(promotion([(10, "1h")]))
        await home.reach("Shifting")
        await home.steer(mode="Aborted")

        shares = []
        while (status := await home.status()).phase not in FINAL:
            shares.append(split(await home.service()).get(SECOND, 0))

        assert (status.phase, status.cause.reason, status.candidate.revision) == ("RolledBack", "Aborted", SECOND)
        assert set(shares) <= {0, 10}
        found = await home.service()
        assert (found["spec"], split(found)) == (service()["spec"], {THIRD: 100})


async def test_a_deletion_while_rolling_out_takes_back_first():
    async with open_house() as home, home.controller():
        await home.serving()
        await home.create(promotion(steps=[(10, "1h")]))
        await home.reach("Holding")

        await home.api.delete(Promotion, home.key)
        with pytest.raises(NotFound):
            await home.until(lambda status: False)

        assert (await home.service())["spec"] == service()["spec"]


async def test_a_spec_that_changed_all_the_same_takes_back():
    """Servers without CEL let it change."""
    async with open_house() as home, home.controller():
        await home.serving()
        await home.create(promotion(steps=[(10, "1h")]))
        await home.reach("Holding")

        found = (await home.api.get(Promotion, home.key)).to_dict()
        found["spec"]["steps"] = [{"weight": 90, "duration": "0s"}]
        # The embedded server evaluates the rule, so this is what one that does not would hold.
        definition = "promotions.ai.windlass.dev"
        await _without_rules(home, definition)
        await home.api.replace(Promotion, found)
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "SpecChanged")


async def _without_rules(home, name):
    def strip(value):
        if isinstance(value, dict):
            return {key: strip(one) for key, one in value.items() if key != "x-kubernetes-validations"}
        return [strip(one) for one in value] if isinstance(value, list) else value

    found = (await home.api.get(CustomResourceDefinition, Key("", name))).to_dict()
    await home.api.replace(CustomResourceDefinition, strip(found))


async def test_a_write_that_the_target_refuses_ends_without_a_trace():
    async with open_house() as home, home.controller():
        await home.serving()
        key = Key("", "inferenceservices.serving.kserve.io")
        definition = (await home.api.get(CustomResourceDefinition, key)).to_dict()
        spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        model = spec["properties"]["predictor"]["properties"]["model"]
        model["properties"]["storageUri"]["pattern"] = "/1$"
        await home.api.replace(CustomResourceDefinition, definition)

        await home.create(promotion())
        status = await home.ended()

        assert (status.phase, status.cause.reason, status.operations) == ("RolledBack", "WriteRefused", ())
        assert "storageUri" in status.cause.message
        assert (await home.service())["metadata"]["generation"] == 1


CHECK = {
    "name": "errors",
    "series": {"metric": "errors_total"},
    "per": {"metric": "requests_total"},
    "atMost": 0.01,
}


@pytest.mark.parametrize(("errors", "phase"), [(0, "Succeeded"), (5, "RolledBack")], ids=["within", "above"])
async def test_an_error_rate_of_the_endpoint_decides(errors, phase):
    asked = 0

    async def metrics(request):
        nonlocal asked
        asked += 1
        return web.Response(text=f"errors_total {7 + errors * asked}\nrequests_total {100 * asked}\n")

    async with serving(metrics=metrics) as url, open_house() as home:
        home.settings = attrs.evolve(home.settings, urls=(url,))
        async with home.controller():
            await home.serving()
            await home.create(promotion(guards={"metrics": [{**CHECK, "url": f"{url}/metrics"}]}))
            status = await home.ended()

    assert status.phase == phase, status.journal[-1]
    assert [(one.name, one.passed, one.value) for one in status.checks] == [
        ("errors", errors == 0, pytest.approx(errors / 100))
    ]
    if errors:
        assert status.cause.reason == "CheckFailed"


async def test_a_check_without_an_answer_blocks_and_is_taken_back_at_the_deadline():
    """B1."""
    check = {"name": "up", "url": "http://127.0.0.1:1/", "query": "up", "atLeast": 1}
    async with open_house() as home:
        home.settings = attrs.evolve(home.settings, urls=("http://127.0.0.1:1/",))
        async with home.controller():
            await home.serving()
            await home.create(promotion([(10, "0s")], guards={"metrics": [check], "progressDeadline": "1m"}))
            await home.until(lambda status: any(one.reason == "WaitingForChecks" for one in status.conditions))
            await home.steer(guards={"progressDeadline": "0s"})
            status = await home.ended()

    assert (status.phase, status.cause.reason) == ("RolledBack", "ChecksInconclusive")
    assert [(one.passed, one.value) for one in status.checks] == [(False, None)]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"gate": None}, "GateMissing"),
        ({"gate": {"verdict": "Error", "modelSha256": "a" * 64, "evidenceSha256": "e" * 64}}, "GateNotPassed"),
        ({"gate": {"verdict": "Passed", "modelSha256": "b" * 64, "evidenceSha256": "e" * 64}}, "GateOfAnotherModel"),
        ({"steps": [(50, "0s"), (10, "0s")]}, "InvalidSpec"),
        ({"release": {"model": {"name": "m", "version": "1"}, "modelSha256": "a" * 64}}, "UnsupportedRelease"),
        ({"mode": "Aborted"}, "Aborted"),
    ],
    ids=["no gate", "gate not passed", "gate of another model", "falling steps", "release", "aborted"],
)
async def test_what_must_not_begin_fails_before_anything_is_written(spec, reason):
    """A14, B1."""
    async with open_house() as home, home.controller():
        await home.serving()

        await home.create(promotion(**spec))
        status = await home.ended()

        assert (status.phase, condition(status, "Promoted").reason) == ("Failed", reason)
        assert (await home.service())["metadata"]["generation"] == 1


async def test_a_release_that_serves_already_is_promoted_without_a_write():
    async with open_house() as home, home.controller():
        await home.serving(service(storage="s3://models/digits/2"))

        await home.create(promotion())
        status = await home.ended()

        assert (status.phase, condition(status, "Promoted").message) == (
            "Succeeded",
            f"{FIRST} serves the release already",
        )
        assert (await home.service())["metadata"]["generation"] == 1


async def test_a_target_that_is_missing_or_busy_is_waited_for_until_the_deadline():
    async with open_house() as home, home.controller():
        await home.create(promotion(guards={"progressDeadline": "0s"}))
        status = await home.ended()

        assert (status.phase, condition(status, "Promoted").reason) == ("Failed", "TargetNotFound")


async def test_a_target_with_a_canary_of_its_own_is_not_touched():
    async with open_house() as home, home.controller():
        await home.serving()
        await home.edit({"spec": {"predictor": {"canaryTrafficPercent": 30, "model": {"storageUri": "s3://other"}}}})

        await home.create(promotion(guards={"progressDeadline": "0s"}))
        status = await home.ended()

        assert (status.phase, condition(status, "Promoted").reason) == ("Failed", "TargetBusy")
        assert (await home.service())["metadata"]["generation"] == 2


async def test_a_target_made_anew_under_its_name_interrupts():
    async with open_house() as home, home.controller():
        await home.serving()
        await home.create(promotion(steps=[(10, "1h")]))
        await home.reach("Holding")

        await home.api.delete(InferenceService, home.service_key)
        await home.create(service())
        status = await home.ended()

        assert status.phase == "Interrupted"
        assert condition(status, "RolloutInterrupted").reason in ("TargetReplaced", "TargetGone")


async def test_every_transition_is_told_once():
    """D4."""
    async with open_house() as home:
        async with home.controller():
            await home.serving()
            await home.create(promotion())
            status = await home.ended()
        async with home.controller():  # a new process, which may tell again
            async with asyncio.timeout(20):
                expected = sorted(entry.target for entry in status.journal)
                while expected != sorted(await home.told()):  # noqa: ASYNC110  # the server is asked as a user would
                    await asyncio.sleep(0.05)


async def test_a_controller_that_starts_anew_at_each_phase_goes_on():
    async with open_house() as home:
        await home.serving()
        await home.create(promotion(steps=[(10, "0s"), (20, "0s"), (30, "0s")]))
        home.settings = attrs.evolve(home.settings, look_seconds=0.01)
        while (before := await home.status()).phase not in FINAL:
            now = before.phase, before.weight
            async with home.controller():
                await home.until(lambda status, now=now: (status.phase, status.weight) != now)

        assert (await home.status()).phase == "Succeeded"
        assert (await home.service())["metadata"]["generation"] == 5


async def test_the_role_that_is_generated_permits_what_a_promotion_needs():
    """On a server with RBAC, with the token of an account that may do nothing else."""
    async with open_house("kubernetes", script={"digits/2": Behaviour(fails="load")}) as home:
        manager = Manager()
        setup(manager, home.settings)
        config = await restricted(home.api, home.server.kubeconfig(), manager, home.namespace)
        home.cluster = Cluster.from_dict(config)
        async with home.controller():
            await home.serving()
            await home.create(promotion([(10, "0s")]))
            status = await home.ended()
            await home.api.delete(Promotion, home.key)
            with pytest.raises(NotFound):
                await home.until(lambda status: False)

    assert status.phase == "RolledBack", status.journal[-1]


@BOTH
async def test_what_another_operator_works_is_left_alone_and_told_once(server):
    async with open_house(server) as home:
        await home.serving()
        async with home.controller(name="first"):
            await home.create(promotion([(10, "1h")]))
            held = await home.reach("Holding")
        await home.steer(mode="Aborted")

        async with home.controller(name="second"), asyncio.timeout(20):
            while "WorkedElsewhere" not in await home.told():  # noqa: ASYNC110  # the server is asked as a user would
                await asyncio.sleep(0.05)
        assert await home.status() == held
        async with home.controller(name="first"):
            status = await home.ended()

        assert (held.operator, status.operator, status.phase) == ("first", "first", "RolledBack")
        assert (await home.told()).count("WorkedElsewhere") == 1
