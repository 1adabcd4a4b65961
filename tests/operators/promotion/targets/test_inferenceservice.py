"""What was read is what is written over, on both servers: anything else is left for the next look (A15)."""

from types import SimpleNamespace

import attrs
import pytest
from promotion_house import open_house, promotion, service
from promotions import facts, metadata

from windlass.envtest.workloads.kserve import InferenceService
from windlass.informers.typed import structure
from windlass.operators.promotion import Promotion
from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.targets.contract import Fault, Sight, Written
from windlass.operators.promotion.targets.inferenceservice import InferenceServices

pytestmark = pytest.mark.realtime
BOTH = pytest.mark.parametrize("server", ["embedded", "kubernetes"])


def targets(home):
    return InferenceServices(SimpleNamespace(api=home.api, services=SimpleNamespace(field_manager="windlass")))


def of(home, **spec):
    found = structure(promotion(**spec), Promotion)
    return attrs.evolve(found, metadata=metadata(namespace=home.namespace))


async def begun(home):
    """The targets, a promotion with a first operation on record, and what was seen then."""
    await home.serving()
    target, found = targets(home), of(home)
    sight = await target.look(found)
    return target, attrs.evolve(found, status=decide(found, facts(sight=sight)).status), sight


@BOTH
@pytest.mark.parametrize(
    "edit",
    [{"metadata": {"annotations": {"team": "vision"}}}, {"spec": {"predictor": {"minReplicas": 2}}}],
    ids=["annotation", "spec"],
)
async def test_a_target_that_changed_since_it_was_read_is_not_written(server, edit):
    async with open_house(server) as home:
        target, found, sight = await begun(home)
        await home.edit(edit)

        assert await target.write(found, sight) is None
        changed = await home.service()
        assert changed["spec"]["predictor"]["model"] == service()["spec"]["predictor"]["model"]
        again = await target.look(found)
        assert again.shown is False
        written = await target.write(found, again)
        last = await target.look(found)
        assert (last.shown, last.generation) == (True, written.generation)


@BOTH
async def test_a_namesake_is_not_written(server):
    async with open_house(server) as home:
        target, found, sight = await begun(home)
        await home.api.delete(InferenceService, home.service_key)
        assert await target.write(found, sight) is None
        await home.create(service())
        assert await target.write(found, sight) is None

        assert (await home.service())["spec"] == service()["spec"]


async def test_what_was_read_is_what_is_written():
    async with open_house() as home:
        target, found, sight = await begun(home)
        assert isinstance(sight, Sight)
        assert await target.write(found, sight) == Written("2")

        assert (await home.service())["spec"]["predictor"]["canaryTrafficPercent"] == 10


async def test_what_admission_adds_to_our_own_write_is_not_somebody_elses_edit():
    """KServe's webhooks fill in defaults, of a newer version of theirs for example."""
    async with open_house() as home:
        target, found, sight = await begun(home)
        written = await target.write(found, sight)
        changed = attrs.evolve(await target.look(found), others="with a default")

        answered = decide(found, facts(sight=changed, written=written))
        unanswered = decide(found, facts(sight=changed))

        assert answered.status.operation.after == written.generation
        assert unanswered.status.phase == "Interrupted"


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        ({}, "DeploymentModeUnknown", True),
        ({"deploymentMode": "ModelMesh"}, "UnsupportedDeploymentMode", False),
    ],
    ids=["none yet", "ModelMesh"],
)
async def test_a_mode_is_read_from_the_status_and_never_assumed(status, reason, retryable):
    async with open_house(namespace="nowhere") as home:
        await home.create(service(mode="Knative"))
        await home.api.patch(InferenceService, home.service_key, {"status": status}, subresource="status")
        fault = await targets(home).look(of(home))

        assert isinstance(fault, Fault)
        assert (fault.reason, fault.retryable) == (reason, retryable)


@pytest.mark.parametrize(("old", "new"), [("Serverless", "Knative"), ("RawDeployment", "Standard")])
async def test_the_old_names_of_the_modes_are_understood(old, new):
    async with open_house(namespace="nowhere") as home:
        await home.create(service(mode=old))
        status = {"status": {"deploymentMode": old}}
        await home.api.patch(InferenceService, home.service_key, status, subresource="status")

        assert (await targets(home).look(of(home))).mode == new
