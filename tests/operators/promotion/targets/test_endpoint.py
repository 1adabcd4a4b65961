"""Promotions on a real endpoint's routes."""

import asyncio
import contextlib

import aiohttp
import attrs
import pytest
from promotion_house import MODEL, condition, open_house, promotion
from promotions import facts, metadata

from windlass.informers.keys import Key
from windlass.informers.typed import structure, unstructure
from windlass.operators.promotion import Promotion
from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.facts import FINALIZER
from windlass.operators.promotion.targets.endpoint import Endpoints
from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.traffic import Arm, Route, Routes, TrafficClient, TrafficOptions

pytestmark = pytest.mark.realtime

OLD = Route("digits", (Arm("live", "one", version="1", weight=100),), unit_header="X-User")
RELEASE = {"model": {"name": "two", "version": "1"}, "modelSha256": MODEL}


@contextlib.asynccontextmanager
async def endpoint(*routes, **options):
    repository = ModelRepository()
    repository.add("one", LinearModel())
    repository.add("two", LinearModel(bias=2.5))
    traffic = TrafficOptions(**{"api": True, "routes": Routes.of(*routes), **options})
    async with (
        Endpoint(repository, port=0, options=EndpointOptions(traffic=traffic)) as served,
        aiohttp.ClientSession() as session,
        open_house() as home,
    ):
        home.settings = attrs.evolve(home.settings, urls=(served.url,))
        yield served, TrafficClient(session, served.url), home


def to(served, *, release=RELEASE, steps=((10, "0s"), (50, "0s")), **spec):
    return promotion(steps, target={"endpoint": {"url": served.url, "route": "digits"}}, release=release, **spec)


async def test_the_candidate_takes_over_and_the_stable_arm_keeps_its_name():
    async with endpoint(OLD) as (served, client, home), home.controller():
        await home.create(to(served))
        status = await home.ended()

        assert status.phase == "Succeeded", status.journal[-1]
        assert (status.previous.revision, status.candidate.revision) == ("one@1", "two@1")
        assert [one.name for one in status.operations] == ["introduce", "shift", "complete"]
        route = (await client.get("digits")).route
        assert route == attrs.evolve(OLD, arms=(Arm("live", "two", version="1", weight=100),))


async def test_an_abort_gives_the_previous_model_everything_again():
    async with endpoint(OLD) as (served, client, home), home.controller():
        await home.create(to(served, steps=[(20, "1h")]))
        await home.reach("Holding")
        assert sorted((await client.get("digits")).weights.values()) == [20, 80]

        await home.steer(mode="Aborted")
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "Aborted")
        assert (await client.get("digits")).route == OLD


async def test_nothing_goes_back_to_a_model_that_is_gone_until_it_serves_again():
    lost = attrs.evolve(OLD, arms=(Arm("live", "three", version="1", weight=100),))
    async with endpoint(lost) as (served, client, home), home.controller():
        await home.create(to(served, steps=[(20, "1h")]))
        await home.reach("Holding")
        await home.steer(mode="Aborted")

        def told(status):
            return condition(status, "Reconciling").reason == "PreviousNotServing"

        status = await home.until(told)
        assert (status.phase, status.weight) == ("Holding", 20)
        assert condition(status, "Reconciling").message == (
            "spec.mode is Aborted; the endpoint does not serve three@1 any more, so the weights stay"
        )
        assert sorted((await client.get("digits")).weights.values()) == [20, 80]

        served.repository.add("three", LinearModel())
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "Aborted")
        assert (await client.get("digits")).route == lost


async def test_a_candidate_that_fails_is_taken_back_though_what_was_before_is_gone():
    lost = attrs.evolve(OLD, arms=(Arm("live", "three", version="1", weight=100),))
    async with endpoint(lost) as (served, client, home), home.controller():
        await home.create(to(served, release={"model": {"name": "four", "version": "1"}, "modelSha256": MODEL}))
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "NotReady")
        assert (await client.get("digits")).route == lost


async def test_a_model_that_the_endpoint_does_not_serve_is_taken_back():
    async with endpoint(OLD) as (served, client, home), home.controller():
        absent = {"model": {"name": "three", "version": "1"}, "modelSha256": MODEL}
        await home.create(to(served, release=absent))
        status = await home.ended()

        assert (status.phase, status.cause.reason) == ("RolledBack", "NotReady")
        assert (await client.get("digits")).route == OLD


async def test_a_change_by_somebody_else_interrupts():
    """A18."""
    async with endpoint(OLD) as (served, client, home), home.controller():
        await home.create(to(served, steps=[(20, "1h")]))
        await home.reach("Holding")
        found = await client.get("digits")
        theirs = attrs.evolve(found.route, forced=True)

        await client.replace(theirs, etag=found.etag)
        status = await home.ended()

        assert (status.phase, condition(status, "RolloutInterrupted").reason) == ("Interrupted", "TargetChanged")
        assert (await client.get("digits")).route == theirs


async def test_a_route_that_is_not_there_is_a_first_deployment():
    """A17."""
    async with endpoint() as (served, client, home), home.controller():
        await home.create(to(served))
        status = await home.ended()

        assert (status.phase, status.journal[0].reason) == ("Succeeded", "FirstDeployment")
        assert (await client.get("digits")).route == Route("digits", (Arm("stable", "two", version="1", weight=100),))


@pytest.mark.parametrize(
    ("options", "urls", "reason"),
    [({"api": False, "routes": Routes()}, None, "EndpointWithoutRoutes"), ({}, (), "UrlNotAllowed")],
    ids=["no API", "not allowed"],
)
async def test_what_cannot_be_asked_fails_with_its_reason(options, urls, reason):
    async with endpoint(OLD, **options) as (served, _, home), home.controller():
        target = {"endpoint": {"url": served.url if urls is None else "http://192.0.2.1", "route": "digits"}}
        await home.create(promotion(target=target, release=RELEASE, guards={"progressDeadline": "0s"}))
        status = await home.ended()

        assert (status.phase, condition(status, "Promoted").reason) == ("Failed", reason)


async def test_a_dry_run_writes_no_route_though_an_operation_is_on_record():
    async with endpoint(OLD) as (served, client, home):
        home.dry_run = True
        body = to(served)
        async with Endpoints(home.settings) as target:
            found = attrs.evolve(structure(body, Promotion), metadata=metadata())
            sight = await target.look(found)
        status = decide(found, facts(sight=sight)).status
        body["metadata"] = {**body["metadata"], "name": "begun", "finalizers": [FINALIZER]}
        await home.create(body)
        written = unstructure(attrs.evolve(found, status=status))["status"]
        key = Key(home.namespace, "begun")
        await home.api.patch(Promotion, key, {"status": written}, subresource="status")
        async with home.controller():
            await asyncio.sleep(0.5)  # a write that must not come cannot be waited for

        assert (await client.get("digits")).route == OLD
        assert (await home.api.get(Promotion, key)).as_(Promotion).status.phase == "Shifting"
