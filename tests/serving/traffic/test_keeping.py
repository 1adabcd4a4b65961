"""Routes that came by the API are there again after a restart, and a change that could not be kept was not made."""

import contextlib

import aiohttp
import pytest

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.errors import EndpointError
from windlass.serving.traffic import Arm, Route, Routes, TrafficOptions, route_to_dict
from windlass.serving.traffic.keeping import Kept

pytestmark = pytest.mark.realtime


def route(weight=10, name="m"):
    return Route(name, (Arm("a", "one", weight=100 - weight), Arm("b", "one", weight=weight)))


@contextlib.asynccontextmanager
async def serving(keep):
    repository = ModelRepository()
    repository.add("one", LinearModel())
    traffic = TrafficOptions(Routes.of(route(10)), api=True, keep=keep)
    async with (
        Endpoint(repository, port=0, options=EndpointOptions(traffic=traffic)) as endpoint,
        aiohttp.ClientSession(endpoint.url) as session,
    ):
        yield session


async def tag_and_weights(session):
    async with session.get("/v2/traffic/m") as response:
        return response.headers["ETag"], (await response.json())["weights"]


async def put(session, weight, tag):
    async with session.put("/v2/traffic/m", json=route_to_dict(route(weight)), headers={"If-Match": tag}) as response:
        return response.status, await response.json()


async def test_a_change_survives_the_process_with_its_tag(tmp_path):
    keep = tmp_path / "routes.json"
    async with serving(keep) as session:
        first, _ = await tag_and_weights(session)
        assert not keep.exists(), "nothing was changed, so the options are all that counts"
        assert (await put(session, 50, first))[0] == 200
        before = await tag_and_weights(session)

    async with serving(keep) as session:
        assert await tag_and_weights(session) == before
        assert before[1] == {"a": 50, "b": 50}
        async with session.delete("/v2/traffic/m", headers={"If-Match": before[0]}) as response:
            assert response.status == 204

    async with serving(keep) as session, session.get("/v2/traffic/m") as response:
        assert response.status == 404, "a route that was taken away stays away"
    assert [path.name for path in tmp_path.iterdir()] == ["routes.json"]


async def test_a_change_that_cannot_be_written_is_refused_and_not_in_force(tmp_path):
    async with serving(tmp_path / "absent" / "routes.json") as session:
        before = await tag_and_weights(session)
        status, answer = await put(session, 50, before[0])

        assert (status, answer["error"]) == (503, "the routes cannot be written: No such file or directory")
        assert await tag_and_weights(session) == before


@pytest.mark.parametrize("content", ["{", '{"routes": {"m": {"arms": 3}}}', ""])
def test_a_file_that_says_something_else_is_named_at_the_start(tmp_path, content):
    (tmp_path / "routes.json").write_text(content)

    with pytest.raises(EndpointError, match=r"traffic: keep: .*routes\.json"):
        Kept(tmp_path / "routes.json").read()


def test_a_file_that_cannot_be_read_is_named_at_the_start(tmp_path):
    with pytest.raises(EndpointError, match="cannot be read: Is a directory"):
        Kept(tmp_path).read()


def test_what_a_file_rules_cannot_be_kept_elsewhere(tmp_path):
    with pytest.raises(EndpointError, match="would keep nothing"):
        TrafficOptions(file=tmp_path / "routes.yaml", keep=tmp_path / "routes.json")
    with pytest.raises(EndpointError, match=r"only the API changes routes"):
        TrafficOptions(keep=tmp_path / "routes.json")
