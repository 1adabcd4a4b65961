"""The life of an endpoint: start, swap, drain, stop, and clients that leave."""

import asyncio
import contextlib
import socket
import threading
import time

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from windlass.serving import Endpoint, EndpointError, EndpointOptions, LinearModel, ModelRepository, app

pytestmark = pytest.mark.realtime


def linear_repository(*args, **kwargs):
    repository = ModelRepository(*args, **kwargs)
    repository.add("linear", LinearModel())
    return repository


def slow(repository, name="slow", seconds=0.5):
    """A model that sleeps in `predict`, except while it is warmed up with zeros."""

    class Slow(LinearModel):
        began = 0

        def predict(self, inputs, /):
            if inputs["x"][0]:
                type(self).began += 1
                time.sleep(seconds)
            return super().predict(inputs)

    model = Slow()
    loaded = repository.add(name, model)
    # Measured on zeros it looks fast; the tests want it in a thread.
    object.__setattr__(loaded, "inline_elements", -1)
    return Slow


@contextlib.asynccontextmanager
async def serving(repository, **kwargs):
    async with Endpoint(repository, port=0, **kwargs) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        yield endpoint, session


async def begun(kind, count=1):
    """Wait until the model computes for `count` requests."""
    while kind.began < count:  # noqa: ASYNC110  (a thread sets it)
        await asyncio.sleep(0.005)


async def status(session, path):
    async with session.get(path) as response:
        return response.status


async def test_the_example_answers():
    """M1."""
    async with serving(linear_repository()) as (_, session), session.post("/predict", json={"x": 2.5}) as response:
        assert (response.status, await response.json()) == (200, {"prediction": -0.5})


async def test_an_occupied_port_is_named():
    async with serving(linear_repository()) as (first, _):
        second = Endpoint(linear_repository(), port=int(first.url.rpartition(":")[2]))
        with pytest.raises(EndpointError, match=r"^cannot listen on 127\.0\.0\.1:\d+: address already in use$"):
            await second.start()
        await second.stop()


async def test_an_address_that_is_not_ours_is_named():
    with pytest.raises(EndpointError, match=r"^cannot listen on 192\.0\.2\.1:0: "):
        await Endpoint(linear_repository(), host="192.0.2.1", port=0).start()
    with pytest.raises(EndpointError, match=r"^cannot listen on no\.such\.host\.invalid:0: "):
        await Endpoint(linear_repository(), host="no.such.host.invalid", port=0).start()


async def test_before_the_start_there_is_no_address_and_nothing_runs():
    before = asyncio.all_tasks()
    endpoint = Endpoint(linear_repository())
    with pytest.raises(EndpointError, match="no address"):
        _ = endpoint.url
    assert before == asyncio.all_tasks()
    assert repr(endpoint) == "<Endpoint 127.0.0.1:8080 inert>"


async def test_after_the_stop_no_socket_and_no_task_is_left():
    before = asyncio.all_tasks()
    async with serving(linear_repository()) as (endpoint, _):
        port = int(endpoint.url.rpartition(":")[2])
    await asyncio.sleep(0)
    assert before == asyncio.all_tasks()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port))
    await endpoint.stop()
    with pytest.raises(EndpointError, match="starts once"):
        await endpoint.start()


async def test_run_serves_until_it_is_cancelled():
    endpoint = Endpoint(linear_repository(), port=0)
    running = asyncio.create_task(endpoint.run())
    while "listening" not in repr(endpoint):  # noqa: ASYNC110  (it has no event for it, and needs none)
        await asyncio.sleep(0.005)
    async with aiohttp.ClientSession(endpoint.url) as session:
        assert await status(session, "/v2/health/ready") == 200
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert "draining" in repr(endpoint)


async def test_a_promoted_model_appears_without_a_restart(tmp_path, publish, classifier):
    repository = linear_repository(tmp_path, poll_seconds=0.02)
    async with serving(repository) as (_, session):
        assert await status(session, "/v2/models/digits/ready") == 404
        publish(tmp_path, "digits", 1, classifier(), format="onnx")
        await repository.wait_for("digits", 1)
        body = {"instances": [[0.0] * 64, [1.0] * 64]}
        async with session.post("/v1/models/digits:predict", json=body) as response:
            predictions = (await response.json())["predictions"]
        assert [{"label", "probabilities"}] * 2 == [set(one) for one in predictions]
        for one in predictions:
            assert one["label"] == int(np.argmax(one["probabilities"]))
        data = {"name": "x", "datatype": "FP32", "shape": [2, 64], "data": body["instances"]}
        async with session.post("/v2/models/digits/infer", json={"inputs": [data]}) as response:
            outputs = {one["name"]: one["data"] for one in (await response.json())["outputs"]}
        assert outputs["label"] == [one["label"] for one in predictions]


@pytest.mark.parametrize(
    "changes", [{}, {"batching": {"delay_seconds": 0.001, "always": True}}], ids=["one by one", "batching"]
)
async def test_swapping_under_load_fails_no_request(tmp_path, publish, changes):
    """W8, DB7: each answer is that of one whole version, and the versions never go back."""
    repository = linear_repository(tmp_path, poll_seconds=0.01)
    publish(tmp_path, "m", 1, b'{"bias": 1, "weight": 0}', **changes)
    done = False
    answers: list[list[tuple[int, int, float]]] = []
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}]}

    async def client(session):
        mine = []
        answers.append(mine)
        while not done:
            async with session.post("/v2/models/m/infer", json=body) as response:
                content = await response.json()
                mine.append((response.status, int(content["model_version"]), content["outputs"][0]["data"][0]))

    async with serving(repository) as (_, session):
        await repository.wait_for("m")
        async with asyncio.TaskGroup() as clients:
            for _ in range(8):
                clients.create_task(client(session))
            for version in range(2, 22):
                publish(tmp_path, "m", version, b'{"bias": %d, "weight": 0}' % version, **changes)
                await repository.wait_for("m", version)
                await asyncio.sleep(0.01)
            done = True
    assert sum(map(len, answers)) > 20
    for mine in answers:
        assert {200} == {code for code, _, _ in mine}
        assert all(version == value for _, version, value in mine)
        versions = [version for _, version, _ in mine]
        assert sorted(versions) == versions


async def test_a_request_under_way_finishes_on_a_model_that_is_taken_away(tmp_path, publish):
    repository = linear_repository()
    kind = slow(repository)
    async with serving(repository) as (_, session):
        asking = asyncio.create_task(session.post("/v1/models/slow:predict", json={"instances": [2.5]}))
        await begun(kind)
        repository.add("slow", LinearModel(bias=100.0))
        async with await asking as response:
            assert await response.json() == {"predictions": [-0.5]}


async def test_liveness_answers_while_a_model_computes():
    """R1: within 100 ms."""
    repository = linear_repository()
    kind = slow(repository, seconds=1.0)
    async with serving(repository) as (_, session):
        asking = asyncio.create_task(session.post("/v1/models/slow:predict", json={"instances": [1]}))
        await begun(kind)
        durations = []
        for _ in range(5):
            before = time.perf_counter()
            assert await status(session, "/v2/health/live") == 200
            durations.append(time.perf_counter() - before)
        assert sorted(durations)[2] < 0.1
        assert not asking.done()
        (await asking).close()


async def test_work_of_clients_that_hang_up_is_withdrawn():
    """DB21: four threads are busy, so the eight that wait are never begun once their clients are gone."""
    repository = linear_repository()
    kind = slow(repository, seconds=1.0)
    async with serving(repository, options=EndpointOptions(threads=4)) as (endpoint, session):
        asking = [
            asyncio.create_task(session.post("/v1/models/slow:predict", json={"instances": [1]})) for _ in range(12)
        ]
        await begun(kind, 4)
        await asyncio.sleep(0.2)
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
        await asyncio.sleep(1.2)
        assert kind.began == 4
        labels = {"model": "slow", "version": "1", "protocol": "v1", "code": "499"}
        assert endpoint.metrics.registry.get_sample_value("windlass_serving_requests_total", labels) == 12


async def test_stopping_finishes_what_is_under_way_and_takes_nothing_new():
    """DB23."""
    repository = linear_repository()
    kind = slow(repository)
    endpoint = Endpoint(repository, port=0)
    await endpoint.start()
    async with aiohttp.ClientSession(endpoint.url) as session:
        asking = asyncio.create_task(session.post("/v1/models/slow:predict", json={"instances": [2.5]}))
        await begun(kind)
        stopping = asyncio.create_task(endpoint.stop())
        await asyncio.sleep(0.1)
        assert endpoint.not_ready_because() == "draining"
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/v2/health/live")
        async with await asking as response:
            assert await response.json() == {"predictions": [-0.5]}
            assert response.headers["Connection"] == "close"
        await stopping


async def test_stopping_does_not_wait_longer_than_it_may():
    repository = linear_repository()
    kind = slow(repository, seconds=3.0)
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(drain_seconds=0.1))
    await endpoint.start()
    async with aiohttp.ClientSession(endpoint.url) as session:
        asking = asyncio.create_task(session.post("/v1/models/slow:predict", json={"instances": [1]}))
        await begun(kind)
        before = time.perf_counter()
        await endpoint.stop()
        assert time.perf_counter() - before < 1.5
        with contextlib.suppress(aiohttp.ClientError):
            (await asking).close()


async def test_a_lame_duck_is_not_ready_but_serves():
    """DB23, DB24: no request is lost between the readiness probe and the closed listener."""
    endpoint = Endpoint(linear_repository(), port=0, options=EndpointOptions(lame_duck_seconds=0.5))
    await endpoint.start()
    async with aiohttp.ClientSession(endpoint.url) as session:
        stopping = asyncio.create_task(endpoint.stop())
        await asyncio.sleep(0.05)
        assert await status(session, "/v2/health/ready") == 503
        assert await status(session, "/v2/health/live") == 200
        async with session.post("/predict", json={"x": 2.5}) as response:
            assert (response.status, response.headers["Connection"]) == (200, "close")
        await stopping


@pytest.mark.parametrize("grace", [12.0, 3.0])
def test_a_stop_that_may_take_longer_than_it_may_is_refused_at_once(grace):
    """DB25."""
    with pytest.raises(EndpointError, match=r"^grace_seconds: expected more than .* together \(12\), found (12|3)$"):
        EndpointOptions(lame_duck_seconds=2.0, drain_seconds=10.0, grace_seconds=grace)
    EndpointOptions(lame_duck_seconds=2.0, drain_seconds=10.0, grace_seconds=12.5)


@pytest.mark.parametrize("name", ["threads", "requests_max", "max_body_bytes", "all_bodies_bytes_max"])
def test_nothing_can_be_bounded_by_nothing(name):
    with pytest.raises(EndpointError, match=f"^{name}: expected at least 1, found 0$"):
        EndpointOptions(**{name: 0})


async def test_a_host_application_can_mount_it():
    endpoint = Endpoint(linear_repository())
    host = web.Application(client_max_size=10)
    host.add_subapp("/models", endpoint.app)
    runner = web.AppRunner(host)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        async with session.post("/models/predict", data=b'{"x":' + b" " * 20 + b"2.5}") as response:
            assert (response.status, await response.json()) == (200, {"prediction": -0.5})
        async with session.post("/models/v1/models/linear:predict", json={"instances": [2.5]}) as response:
            assert await response.json() == {"predictions": [-0.5]}
        async with session.get("/models/nothing") as response:
            assert (response.status, response.content_type) == (404, "application/json")
    await runner.cleanup()
    assert endpoint.not_ready_because() == "draining"


async def test_beside_the_routes_of_its_host_it_starts_and_stops_with_it_and_nothing_is_left():
    """What is under way when the host stops is finished, and its own routes are none of our business."""
    repository = linear_repository()
    slow(repository, seconds=0.3)
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    host = web.Application()

    async def greet(_):
        return web.Response(text="hello")

    host.router.add_get("/hello", greet)
    host.add_subapp("/models", app(repository, options=EndpointOptions(plain_model="slow")))
    runner = web.AppRunner(host, handler_cancellation=True, shutdown_timeout=30.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(address) as session:
        async with session.get("/hello") as response:
            assert (response.status, await response.text()) == (200, "hello")
        async with session.get("/nothing") as response:
            assert (response.status, response.content_type) == (404, "text/plain")
        async with session.get("/models/readyz") as response:
            assert response.status == 200

        async def asked():
            async with session.post("/models/v1/models/slow:predict", json={"instances": [1.0]}) as response:
                return response.status

        under_way = asyncio.create_task(asked())
        while repository.get("slow").model.began < 1:  # noqa: ASYNC110  (a thread counts)
            await asyncio.sleep(0.005)
        await runner.cleanup()
        assert await under_way == 200
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
        assert not thread.is_alive()


async def test_no_thread_is_left_waiting_for_work():
    repository = linear_repository()
    slow(repository, seconds=0.01)
    async with (
        serving(repository) as (_, session),
        session.post("/v1/models/slow:predict", json={"instances": [1]}) as response,
    ):
        assert response.status == 200
    for thread in threading.enumerate():
        if thread.name.startswith("windlass-model"):
            thread.join(5)
            assert not thread.is_alive()
