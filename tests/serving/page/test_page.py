"""The page as it is served: one file that may do little, and the state that it shows."""

import base64
import contextlib
import hashlib
import re

import aiohttp
import pytest
from aiohttp import web

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.metrics import DURATION_BUCKETS, Metrics
from windlass.serving.page.page import HTML, latencies

pytestmark = pytest.mark.realtime


@contextlib.asynccontextmanager
async def client(repository=None, **options):
    if repository is None:
        repository = ModelRepository()
        repository.add("linear", LinearModel())
    async with (
        Endpoint(repository, port=0, options=EndpointOptions(**options)) as endpoint,
        aiohttp.ClientSession(endpoint.url) as session,
    ):
        yield session


async def state(session):
    async with session.get("/page/state") as response:
        assert response.status == 200
        return await response.json()


async def test_the_page_may_run_and_style_what_is_in_it_and_reach_its_own_server_only():
    async with client() as session, session.get("/page") as response:
        body = await response.text()
        directives = dict(
            directive.strip().split(" ", 1) for directive in response.headers["Content-Security-Policy"].split(";")
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
    assert body == HTML
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert directives == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_the_page_refers_to_no_other_file_and_writes_no_markup():
    assert re.findall(r"https?://", HTML) == []
    assert re.findall(r'(?:src|href)="(?!data:,")', HTML) == []
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "onclick="):
        assert unsafe not in HTML


async def test_the_state_names_models_their_tensors_and_whether_the_server_is_ready():
    async with client() as session:
        found = await state(session)
    assert (found["ready"], found["reason"], found["others"]) == (True, "", [])
    assert found["bounds"] == list(DURATION_BUCKETS)
    (model,) = found["models"]
    assert (model["name"], model["version"], model["platform"]) == ("linear", "1", "numpy_linear")
    assert model["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1]}]
    assert model["outputs"] == [{"name": "prediction", "datatype": "FP64", "shape": [-1]}]
    assert model["counts"] == [0] * (len(DURATION_BUCKETS) + 1)


async def test_the_state_counts_the_requests_of_all_protocols():
    async with client() as session:
        for path, body in (("/predict", {"x": 1}), ("/v1/models/linear:predict", {"instances": [1]})):
            async with session.post(path, json=body) as response:
                assert response.status == 200
        found = await state(session)
    assert found["models"][0]["counts"][-1] == 2


async def test_a_version_that_does_not_serve_is_told_with_its_reason(tmp_path, publish):
    publish(tmp_path, "scores", 3, sha256="0" * 64)
    repository = ModelRepository(tmp_path)
    async with client(repository) as session:
        await repository.refresh()
        found = await state(session)
    assert (found["ready"], found["models"]) == (False, [])
    assert found["reason"]
    (other,) = found["others"]
    assert (other["name"], other["version"], other["state"]) == ("scores", "3", "UNAVAILABLE")
    assert "SHA-256" in other["reason"]


@pytest.mark.parametrize("path", ["/page", "/page/state"])
async def test_it_is_not_there_when_it_is_turned_off(path):
    async with client(page=False) as session:
        async with session.get(path) as response:
            assert response.status == 404
        async with session.get("/openapi.json") as response:
            assert path not in (await response.json())["paths"]


async def test_it_works_below_a_prefix_of_somebody_elses_application():
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    app = web.Application()
    app.add_subapp("/models/", Endpoint(repository).app)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            async with session.get("/models/page") as response:
                assert await response.text() == HTML
            async with session.get("/models/page/state") as response:
                assert [one["name"] for one in (await response.json())["models"]] == ["linear"]
    finally:
        await runner.cleanup()


def test_latencies_are_cumulative_by_bucket():
    times = iter((0.0, 0.003, 0.0, 0.7, 0.0, 20.0))
    metrics = Metrics(clock=lambda: next(times))
    for protocol in ("v1", "v2", "v2"):
        with metrics.request("m", protocol):
            pass
    counts = dict(zip((*DURATION_BUCKETS, None), latencies(metrics)["m"], strict=True))
    assert (counts[0.0025], counts[0.005], counts[0.5], counts[0.8], counts[10.0], counts[None]) == (0, 1, 1, 2, 2, 3)
