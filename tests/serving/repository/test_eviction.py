"""A bound on the memory of all models: who gives way, who comes back, and what a request sees of it."""

import asyncio
import threading

import aiohttp
import numpy as np
import pytest
import tritonclient.grpc.aio as triton

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository, RepositoryOptions
from windlass.serving.errors import DeadlineExceeded, NotReady

pytestmark = pytest.mark.realtime


def bounded(root, limit=100, **options):
    return ModelRepository(root, poll_seconds=3600, options=RepositoryOptions(memory_bytes_max=limit, **options))


def serving(repository):
    return sorted(loaded.name for loaded in repository.models())


def evicted(repository):
    return sorted(entry.name for entry in repository.index() if entry.reason == "evicted to make room")


def value(repository, name):
    return next(
        (s.value for f in repository.metrics().collect() for s in f.samples if s.name == name), None
    )  # fmt: skip


class Held:
    """A runtime whose loads wait, after the first of each model."""

    def __init__(self):
        self.seen, self.let_go = set(), threading.Event()

    def load(self, source):
        if source.name in self.seen:
            assert self.let_go.wait(30)
        self.seen.add(source.name)
        return LinearModel(name=source.name, version=source.version)


@pytest.fixture
def three(tmp_path, publish):
    for name in "abc":
        publish(tmp_path, name, 1, memory_bytes=40)
    return tmp_path


async def test_the_least_recently_used_gives_way_and_comes_back_for_whoever_asks(three):
    repository = bounded(three)
    await repository.refresh()
    assert (serving(repository), evicted(repository)) == (["b", "c"], ["a"])
    assert repository.knows("a")
    repository.get("b")
    with pytest.raises(NotReady, match="'a' made room for others"):
        repository.get("a")
    assert (await repository.take("a")).name == "a"
    assert (serving(repository), evicted(repository)) == (["a", "b"], ["c"])
    assert value(repository, "windlass_serving_model_evictions_total") == 1


async def test_a_scan_does_not_bring_back_what_gave_way(three):
    repository = bounded(three)
    await repository.refresh()
    await repository.refresh()
    assert serving(repository) == ["b", "c"]


async def test_one_load_answers_all_who_wait_for_it(three):
    repository = bounded(three)
    await repository.refresh()
    taken = await asyncio.gather(*(repository.take("a") for _ in range(8)))
    assert len(set(map(id, taken))) == 1


async def test_whoever_cannot_wait_so_long_is_told(tmp_path, publish):
    held = Held()
    for name in "abc":
        publish(tmp_path, name, 1, format="held", memory_bytes=40)
    repository = bounded(tmp_path, runtimes={"held": held})
    await repository.refresh()
    with pytest.raises(DeadlineExceeded, match="'a': it was not loaded again within the time given"):
        await repository.take("a", deadline=asyncio.get_running_loop().time() + 0.05)
    held.let_go.set()
    assert (await repository.take("a")).name == "a"


async def test_pinned_models_and_those_made_in_code_stay(three):
    (three / "a" / "serving.json").write_text('{"pinned": true}')
    repository = bounded(three, pinned=["b"])
    repository.add("coded", LinearModel())
    await repository.refresh()
    assert serving(repository) == ["a", "b", "coded"]
    assert "it takes 40 bytes; of the 100 that models may take, 80 are in use" in repository.index()[2].reason


async def test_what_had_no_room_is_tried_again_when_there_is_some(three):
    """W8: a version that does not fit beside the one that serves is refused, and that one serves on."""
    repository = bounded(three, limit=70)
    await repository.refresh()
    assert serving(repository) == ["c"]


async def test_a_new_version_needs_room_beside_the_old_one(tmp_path, publish):
    """W8: refused, if it does not fit, rather than taking the old one away before the new one is warm."""
    repository = bounded(tmp_path)
    publish(tmp_path, "m", 1, memory_bytes=60)
    await repository.refresh()
    publish(tmp_path, "m", 2, memory_bytes=60)
    await repository.refresh()
    assert repository.get("m").version == "1"
    assert "it takes 60 bytes" in repository.index()[1].reason
    publish(tmp_path, "m", 3, memory_bytes=40)
    await repository.refresh()
    assert repository.get("m").version == "3"


async def test_memory_counts_until_the_last_request_has_let_go(three):
    repository = bounded(three)
    await repository.refresh()
    kept = repository.get("b")
    repository.get("c")
    loading = asyncio.create_task(repository.take("a"))
    while "b" in serving(repository):  # noqa: ASYNC110  (the load brings it about)
        await asyncio.sleep(0.005)
    assert not loading.done()
    del kept
    assert (await loading).name == "a"


async def test_what_turns_out_larger_than_its_file_needs_more_room(tmp_path, publish, monkeypatch):
    """The file's size is what is known beforehand; after the warm-up it is by how much the process has grown."""
    grown = iter(range(0, 10_000, 30))  # at each look the process is larger by 30 bytes
    monkeypatch.setattr("windlass.serving.repository.loading._resident_bytes", lambda: next(grown))
    publish(tmp_path, "a", 1, memory_bytes=50)
    publish(tmp_path, "b", 1)
    repository = bounded(tmp_path, limit=70)
    await repository.refresh()
    assert (serving(repository), evicted(repository)) == (["b"], ["a"])
    publish(tmp_path, "c", 1)
    repository.get("b")
    await repository.refresh()
    assert serving(repository) == ["c"]


async def test_a_request_waits_for_its_model_over_both_protocols(three):
    repository = bounded(three)
    await repository.refresh()
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}]}
    endpoint = Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0))
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
        for name in ("a", "b", "c"):
            async with session.post(f"/v2/models/{name}/infer", json=body) as response:
                assert (response.status, (await response.json())["outputs"][0]["data"]) == (200, [-0.5])
            async with session.post(f"/v1/models/{name}:predict", json={"instances": [2.5]}) as response:
                assert await response.json() == {"predictions": [-0.5]}
        client = triton.InferenceServerClient(endpoint.grpc_address)
        x = triton.InferInput("x", [1], "FP64")
        x.set_data_from_numpy(np.array([2.5]))
        for name in ("a", "b", "c"):
            assert (await client.infer(name, [x])).as_numpy("prediction").tolist() == [-0.5]
        await client.close()
        async with session.get("/metrics") as response:
            assert 'windlass_serving_model_bytes{model="c",version="1"} 40.0' in await response.text()


async def test_without_a_version_in_its_path_a_request_gets_the_highest_even_if_that_gave_way(tmp_path, publish):
    for version in (1, 2):
        publish(tmp_path, "m", version, memory_bytes=40)
    publish(tmp_path, "other", 1, memory_bytes=40)
    (tmp_path / "m" / "serving.json").write_text('{"versions": "all"}')
    repository = bounded(tmp_path, limit=130)
    await repository.refresh()
    for name, version in (("m", "1"), ("other", "1")):  # so that version 2 is the one that was not asked for longest
        repository.get(name, version)
    publish(tmp_path, "more", 1, memory_bytes=40)
    await repository.refresh()
    assert [loaded.version for loaded in repository.models() if loaded.name == "m"] == ["1"]
    assert (await repository.take("m")).version == "2"


async def test_a_request_waits_for_its_model_no_longer_than_it_said(tmp_path, publish):
    """DB18: the time of a request runs while its model is loaded, too."""
    held = Held()
    for name in "abc":
        publish(tmp_path, name, 1, format="held", memory_bytes=40)
    repository = bounded(tmp_path, runtimes={"held": held})
    await repository.refresh()
    async with Endpoint(repository, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        headers = {"X-Request-Timeout-Ms": "50"}
        async with session.post("/v1/models/a:predict", json={"instances": [2.5]}, headers=headers) as response:
            why = "model 'a': it was not loaded again within the time given"
            assert (response.status, await response.json()) == (504, {"error": why})
        held.let_go.set()
        async with session.post("/v1/models/a:predict", json={"instances": [2.5]}) as response:
            assert await response.json() == {"predictions": [-0.5]}
