"""The API of routes and its client: conditional, validated, off unless asked for."""

import asyncio
import contextlib
import io

import aiohttp
import pytest
from aiohttp import web

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.errors import (
    EndpointError,
    NoPrecondition,
    NotFound,
    RouteError,
    RoutesChanged,
    RoutesFixed,
)
from windlass.serving.traffic import Arm, Experiment, Goal, Route, Routes, TrafficClient, TrafficOptions, route_to_dict

pytestmark = pytest.mark.realtime


def route(weight=10, **changes):
    return Route("m", (Arm("a", "one", weight=100 - weight), Arm("b", "two", weight=weight)), **changes)


@contextlib.asynccontextmanager
async def serving(*routes, **options):
    repository = ModelRepository()
    repository.add("one", LinearModel())
    repository.add("two", LinearModel(bias=2.5))
    options = {"api": True, **options}
    if "file" not in options:
        options["routes"] = Routes.of(*routes)
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(traffic=TrafficOptions(**options)))
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
        yield endpoint, session


async def test_it_is_off_unless_asked_for():
    async with serving(route(), api=False) as (endpoint, session):
        for method, path in (("GET", ""), ("GET", "/m"), ("PUT", "/m"), ("POST", "/m/rewards")):
            async with session.request(method, f"/v2/traffic{path}", json={}) as response:
                assert response.status == 404
        with pytest.raises(NotFound, match="there is no path /v2/traffic/m"):
            await TrafficClient(session, endpoint.url).get("m")


async def test_a_route_is_read_as_declared_with_the_weights_in_force_and_a_tag():
    async with serving(route()) as (_, session):
        async with session.get("/v2/traffic/m") as response:
            assert await response.json() == {
                "name": "m",
                "route": {
                    "arms": [{"name": "a", "model": "one", "weight": 90}, {"name": "b", "model": "two", "weight": 10}]
                },
                "weights": {"a": 90, "b": 10},
            }
            assert response.headers["ETag"].startswith('"')
        async with session.get("/v2/traffic") as response:
            assert await response.json() == {"routes": {"m": route_to_dict(route())}}


async def test_a_route_is_put_in_changed_and_taken_away():
    async with serving() as (_, session):
        async with session.put(
            "/v2/traffic/m", json=route_to_dict(route()), headers={"If-None-Match": "*"}
        ) as response:
            assert response.status == 201
            first = response.headers["ETag"]
        async with session.put("/v2/traffic/m", json=route_to_dict(route(30)), headers={"If-Match": first}) as response:
            assert (response.status, (await response.json())["weights"]["b"]) == (200, 30)
            second = response.headers["ETag"]
            assert second != first
        async with session.delete("/v2/traffic/m", headers={"If-Match": second}) as response:
            assert response.status == 204
        async with session.get("/v2/traffic/m") as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("headers", "status", "why"),
    [
        ({}, 428, "a change needs If-Match with the route's ETag, or If-None-Match: * for a new one"),
        ({"If-Match": '"other"'}, 412, "route 'm' is not the one that the change was made for; read it again"),
        ({"If-None-Match": "*"}, 412, "route 'm' is there already"),
        ({"If-None-Match": '"x"'}, 412, "route 'm' is there already"),
    ],
)
async def test_a_change_that_is_not_made_for_what_is_there_changes_nothing(headers, status, why):
    async with serving(route()) as (endpoint, session):
        for method in ("PUT", "DELETE"):
            async with session.request(
                method, "/v2/traffic/m", json=route_to_dict(route(50)), headers=headers
            ) as response:
                assert (response.status, await response.json()) == (status, {"error": why})
        assert (await TrafficClient(session, endpoint.url).get("m")).route == route()


async def test_a_route_that_is_wrong_is_refused_with_every_fault():
    async with serving(route()) as (_, session):
        body = {"arms": [{"name": "a", "model": "one", "weight": 200}, {"name": "b"}], "more": 1}
        async with session.put("/v2/traffic/m", json=body, headers={"If-Match": "*"}) as response:
            assert response.status == 400
            assert (await response.json())["error"] == (
                "more: unknown; expected arms, stable, matches, shadows, salt, unit_header, unit_cookie, forced, "
                "experiment; arms[1].model: missing"
            )
        async with session.put("/v2/traffic/m", data=b"{", headers={"If-Match": "*"}) as response:
            assert response.status == 400
        async with session.put("/v2/traffic/m", data=io.BytesIO(b" " * 1048577), headers={"If-Match": "*"}) as response:
            assert response.status == 413


HOSTILE = [
    b"[" * 50_000,
    b'{"arms": ' * 20_000,
    b'{"arms": [{"name": "a", "model": "one", "weight": 1e400}]}',
    b'{"arms": [{"name": "a", "model": "one", "weight": 100000000000000000000000000000000}]}',
    b'{"arms": [{"name": "a", "model": "one", "weight": 100}], "matches": [{"header": "\\n", "arm": "a", "value":""}]}',
    b'{"arms": [{"name": "\\u0000", "model": "one", "weight": 100}]}',
    b'{"arms": [{"name": "a", "model": "one", "weight": 100}], "experiment": {"name": "\\ud800", "control": "a"}}',
    b"null",
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_route_is_refused_or_harmless(body):
    """Never a 5xx, and requests go on being answered."""
    async with serving(route()) as (_, session):
        async with session.put("/v2/traffic/m", data=body, headers={"If-Match": "*"}) as response:
            assert response.status in (200, 400), await response.text()
        async with session.post("/v1/models/m:predict", json={"instances": [2.5]}) as response:
            assert response.status == 200
            assert response.headers["X-Model-Variant"] in ("a", "b")


async def test_of_two_who_change_at_once_one_is_told_to_read_again():
    async with serving(route()) as (endpoint, session):
        client = TrafficClient(session, endpoint.url)
        etag = (await client.get("m")).etag
        done = await asyncio.gather(
            *(client.replace(route(weight), etag=etag) for weight in (20, 30)), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in done) == ["Remote", "RoutesChanged"]


async def test_to_apply_what_is_there_changes_nothing():
    async with serving() as (endpoint, session):
        client = TrafficClient(session, endpoint.url)
        wanted = route(experiment=Experiment("e", "a", "b", goal=Goal("errors")))
        assert await client.apply(wanted)
        assert not await client.apply(wanted)
        assert await client.apply(route(20, experiment=wanted.experiment))
        assert (await client.get("m")).weights == {"a": 80, "b": 20}
        seen = await client.experiment("m")
        assert [entry["kind"] for entry in seen["entries"]] == ["began", "reweighted"]
        await client.delete("m", etag=(await client.get("m")).etag)
        with pytest.raises(NotFound, match="there is no route 'm'"):
            await client.get("m")


async def test_what_an_experiment_decides_changes_the_tag():
    """Whoever read the route before does not undo a rollback unknowingly."""
    async with serving(route(50, experiment=Experiment("e", "a", "b"))) as (endpoint, session):
        client = TrafficClient(session, endpoint.url)
        before = await client.get("m")
        live = endpoint._traffic.traffic.live("m")
        live.set_weights({"a": 100, "b": 0})
        after = await client.get("m")
        assert (before.route, before.weights["b"], after.weights["b"]) == (after.route, 50, 0)
        with pytest.raises(RoutesChanged):
            await client.replace(route(60, experiment=before.route.experiment), etag=before.etag)


async def test_rewards_are_reported_by_unit():
    plan = Experiment("e", "a", "b")
    async with serving(route(50, experiment=plan)) as (_, session):
        for number in range(10):
            async with session.post("/v2/models/m/infer", json={}, headers={"X-Experiment-Key": f"u{number}"}):
                pass
        rewards = [{"unit": f"u{number}", "reward": number / 2} for number in range(12)]
        for counted in (10, 0):
            async with session.post("/v2/traffic/m/rewards", json={"rewards": rewards}) as response:
                assert (response.status, await response.json()) == (200, {"counted": counted})
        async with session.get("/v2/traffic/m/experiment") as response:
            seen = await response.json()
            assert (
                sum(
                    arm["samples"] for arm in (seen["evidence"]["won"]["control"], seen["evidence"]["won"]["treatment"])
                )
                == 10
            )
        for body in ({"rewards": [{"unit": "", "reward": 1}]}, {"rewards": [{"unit": "u1", "reward": "1"}]}, {}):
            async with session.post("/v2/traffic/m/rewards", json=body) as response:
                assert response.status == 400


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RouteError),
        (404, NotFound),
        (409, RoutesFixed),
        (412, RoutesChanged),
        (428, NoPrecondition),
        (500, EndpointError),
    ],
)
async def test_the_client_knows_the_endpoints_refusals(status, error):
    async def refuse(_):
        return web.json_response({"error": "because"}, status=status)

    async with answering(refuse) as client:
        with pytest.raises(error, match="because"):
            await client.get("m")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"route": {}, "weights": {}}'])
async def test_an_answer_that_is_not_the_apis_is_one_clear_error(body):
    async def nonsense(_):
        return web.Response(body=body)

    async with answering(nonsense) as client:
        with pytest.raises(EndpointError, match=r"GET|not one that is understood"):
            await client.get("m")


async def test_an_endpoint_that_cannot_be_reached_or_hangs_is_one_clear_error():
    async with aiohttp.ClientSession() as session:
        with pytest.raises(EndpointError, match=r"GET http://127.0.0.1:1/v2/traffic/m: "):
            await TrafficClient(session, "http://127.0.0.1:1/").get("m")

    async def hang(_):
        await asyncio.Event().wait()

    async with answering(hang, timeout_seconds=0.05) as client:
        with pytest.raises(EndpointError, match="Timeout"):
            await client.get("m")


@contextlib.asynccontextmanager
async def answering(handler, **options):
    """A client of a server that answers every path so."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as session:
            yield TrafficClient(session, f"http://127.0.0.1:{runner.addresses[0][1]}", **options)
    finally:
        await runner.cleanup()
