"""Routes from a file: a good one is in force within a look, a bad one changes nothing and says why."""

import asyncio
import os
import threading

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.traffic import TrafficOptions
from windlass.serving.traffic.metrics import TrafficMetrics
from windlass.serving.traffic.shadowing import Shadows
from windlass.serving.traffic.source import FileSource
from windlass.serving.traffic.traffic import Traffic

pytestmark = pytest.mark.realtime


def document(weight):
    return f"""
routes:
  m:
    arms: [{{name: a, model: one, weight: {100 - weight}}}, {{name: b, model: two, weight: {weight}}}]
"""


@pytest.fixture
def source(tmp_path):
    metrics = TrafficMetrics(CollectorRegistry())
    traffic = Traffic(ModelRepository(), metrics, shadows=Shadows(metrics, busy=lambda: False))
    return FileSource(tmp_path / "routes.yaml", traffic)


def weights(source):
    return source._traffic.live("m").weights


async def test_a_good_file_is_in_force_and_again_when_it_changes(source):
    for weight in (10, 20):
        source.path.write_text(document(weight))
        await source.refresh()
        assert (weights(source), source.problem, source.loaded) == ({"a": 100 - weight, "b": weight}, None, True)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (document(101), "routes.m.arms[0].weight: expected a whole number from 0 to 100, found -1"),
        ("routes: [", "the document is not YAML"),
        ("#" * (4 * 1024 * 1024 + 1), "expected at most 4194304 bytes"),
    ],
    ids=["weights", "broken", "huge"],
)
async def test_a_bad_file_keeps_the_routes_before_it_and_says_why_once(source, content, why, caplog):
    source.path.write_text(document(10))
    await source.refresh()
    source.path.write_text(content)
    for _ in range(3):
        await source.refresh()
    assert weights(source) == {"a": 90, "b": 10}
    assert source.problem.startswith(f"{source.path}: {why}")
    assert caplog.text.count("the routes before it stay in force") == 1
    source.path.write_text(document(30))
    await source.refresh()
    assert (weights(source)["b"], source.problem) == (30, None)


async def test_a_file_that_is_gone_keeps_the_routes_too(source):
    source.path.write_text(document(10))
    await source.refresh()
    source.path.unlink()
    await source.refresh()
    assert weights(source)["b"] == 10
    assert "cannot be read: No such file" in source.problem
    source.path.write_text(document(10))
    await source.refresh()
    assert source.problem is None


async def test_a_volume_that_turns_a_link_is_followed(source, tmp_path):
    """W9: a ConfigMap is changed by a link of links."""
    for name, weight in (("one", 10), ("two", 20)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routes.yaml").write_text(document(weight))
    (tmp_path / "data").symlink_to("one")
    source.path.symlink_to("data/routes.yaml")
    await source.refresh()
    assert weights(source)["b"] == 10
    (tmp_path / "new").symlink_to("two")
    os.replace(tmp_path / "new", tmp_path / "data")
    await source.refresh()
    assert weights(source)["b"] == 20


async def test_an_endpoint_is_not_ready_before_its_routes_are_and_follows_the_file(tmp_path):
    path = tmp_path / "routes.yaml"
    repository = ModelRepository()
    repository.add("one", LinearModel())
    repository.add("two", LinearModel(bias=2.5))
    options = EndpointOptions(plain_model="m", traffic=TrafficOptions(file=path, api=True, poll_seconds=0.02))
    async with (
        Endpoint(repository, port=0, options=options) as endpoint,
        aiohttp.ClientSession(endpoint.url) as session,
    ):
        async with session.get("/readyz") as response:
            assert response.status == 503
            assert "routes.yaml: cannot be read" in (await response.json())["error"]

        async def becomes(answer):
            async with asyncio.timeout(30):
                while True:
                    async with session.post("/predict", json={"x": 2.5}) as response:
                        if await response.json() == answer:
                            return
                    await asyncio.sleep(0.01)

        path.write_text(document(0))
        await becomes({"prediction": -0.5})
        path.write_text(document(100))
        await becomes({"prediction": 0.5})
        async with session.get("/readyz") as response:
            assert response.status == 200
        path.write_text("routes: [")
        async with asyncio.timeout(30):
            while True:
                async with session.get("/v2/traffic") as response:
                    told = await response.json()
                if "problem" in told:
                    break
                await asyncio.sleep(0.01)
        assert "the document is not YAML" in told["problem"]
        assert told["routes"]["m"]["arms"][1]["weight"] == 100
        async with session.put("/v2/traffic/m", json={}, headers={"If-Match": "*"}) as response:
            assert response.status == 409
            assert "the routes come from the file 'routes.yaml'" in (await response.json())["error"]


async def test_no_thread_is_left_when_the_endpoint_has_stopped(tmp_path):
    """Of the file's and of a shadow's."""
    path = tmp_path / "routes.yaml"
    path.write_text(document(10) + "    shadows: [{name: s, model: one}]\n")
    repository = ModelRepository()
    repository.add("one", LinearModel())
    options = EndpointOptions(plain_model="m", traffic=TrafficOptions(file=path))
    async with (
        Endpoint(repository, port=0, options=options) as endpoint,
        aiohttp.ClientSession(endpoint.url) as session,
    ):
        async with session.post("/predict", json={"x": 2.5}) as response:
            assert response.status == 200
        kept = [one for one in threading.enumerate() if one.name.startswith(("windlass-routes", "windlass-shadow"))]
        assert {thread.name.rpartition("_")[0] for thread in kept} == {"windlass-routes", "windlass-shadow"}
    for thread in kept:
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()
