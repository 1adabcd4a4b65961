"""Versions side by side, on request, and how each of them goes."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import shutil
import threading

import aiohttp
import attrs
import numpy as np
import pytest

from windlass.serving.batching.execution import Execution
from windlass.serving.endpoint import Endpoint
from windlass.serving.errors import ModelError, ModelFailed, NotFound, NotReady
from windlass.serving.repository.options import RepositoryOptions
from windlass.serving.repository.repository import IndexEntry, ModelRepository
from windlass.serving.repository.settings import Latest
from windlass.serving.runtimes import RUNTIMES
from windlass.serving.runtimes.linear import LinearModel

pytestmark = pytest.mark.realtime


def weights(bias):
    return b'{"bias": %d, "weight": 0}' % bias


def say(root, name, **settings):
    partial = root / name / ".serving.json"
    partial.write_text(json.dumps(settings))
    partial.rename(root / name / "serving.json")


def states(repository):
    return {(entry.name, entry.version): entry.state for entry in repository.index()}


def serving(repository, name="m"):
    return [loaded.version for loaded in repository.models() if loaded.name == name]


@pytest.fixture
def three(tmp_path, publish):
    for version in (1, 2, 3):
        publish(tmp_path, "m", version, weights(version))
    return tmp_path


class Noted(LinearModel):
    """Says when it is closed."""

    def __init__(self, version, closed):
        super().__init__(version=version)
        object.__setattr__(self, "_closed", closed)

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def close(self):
        self._closed.append(self.version)


class NotedRuntime:
    def __init__(self):
        self.closed = []

    def load(self, source):
        return Noted(source.version, self.closed)


async def until(condition):
    while not condition():  # noqa: ASYNC110  (a thread brings it about)
        await asyncio.sleep(0.005)


async def test_versions_serve_side_by_side_and_the_highest_answers_for_all(three):
    say(three, "m", versions="all")
    repository = ModelRepository(three)
    await repository.refresh()
    assert serving(repository) == ["3", "2", "1"]
    assert repository.versions("m") == ["1", "2", "3"]
    assert repository.get("m").version == "3"
    assert repository.get("m", "1").version == "1"
    with pytest.raises(NotFound, match="no version '7'; versions '1', '2', '3' serve"):
        repository.get("m", "7")


async def test_the_options_choose_where_the_folder_says_nothing(three, publish):
    publish(three, "other", 4)
    say(three, "other", versions=[4])
    repository = ModelRepository(three, options=RepositoryOptions(versions=Latest(2)))
    await repository.refresh()
    assert serving(repository) == ["3", "2"]
    assert serving(repository, "other") == ["4"]


async def test_changed_settings_bring_and_retire_versions(three):
    repository = ModelRepository(three)
    for versions, expected in (([1, 2], ["2", "1"]), ({"latest": 1}, ["3"]), ([1], ["1"])):
        say(three, "m", versions=versions)
        await repository.refresh()
        assert serving(repository) == expected


async def test_bad_settings_leave_those_before_them_and_are_told_once(three, caplog):
    say(three, "m", versions=[1])
    repository = ModelRepository(three)
    await repository.refresh()
    say(three, "m", versions="few")
    with caplog.at_level(logging.ERROR):
        await repository.refresh()
        await repository.refresh()
    assert serving(repository) == ["1"]
    assert [record.message for record in caplog.records] == [
        "model m: serving.json: versions: invalid enum value 'few'; the settings before it hold"
    ]


async def test_what_was_only_touched_is_not_loaded_again(three):
    """W8: an identical digest is no change."""
    repository = ModelRepository(three)
    await repository.refresh()
    first = repository.get("m")
    os.utime(three / "m" / "3" / "model.json")
    await repository.refresh()
    assert repository.get("m") is first
    assert states(repository) == {("m", "3"): "READY"}


async def test_a_copy_that_was_seen_half_done_is_looked_at_again(tmp_path, publish):
    """W9: whoever writes in place is refused by the digest until the last byte is there."""
    whole = publish(tmp_path / "elsewhere", "m", 1, weights(1))
    folder = tmp_path / "models" / "m" / "1"
    folder.mkdir(parents=True)
    shutil.copy(whole / "model.json", folder)
    repository = ModelRepository(tmp_path / "models")
    await repository.refresh()
    assert "which is not in the folder" in repository.index()[0].reason
    content = (whole / "model.bin").read_bytes()
    for size in (5, len(content)):
        (folder / "model.bin").write_bytes(content[:size])
        await repository.refresh()
    assert repository.get("m").version == "1"


async def test_the_swap_of_a_configmaps_data_folder_is_one_change(tmp_path, publish):
    """W9: all files of a ConfigMap are symlinks through `..data`, which is replaced by a rename."""
    root = tmp_path / "models"
    root.mkdir()
    for stamp, bias in (("..2026_1", 1), ("..2026_2", 2)):
        publish(root / stamp, "m", 1, weights(bias))
    os.symlink("..2026_1", root / "..data")
    os.symlink("..data/m", root / "m")
    repository = ModelRepository(root)
    await repository.refresh()
    os.symlink("..2026_2", root / "..data_tmp")
    os.rename(root / "..data_tmp", root / "..data")
    await repository.refresh()
    assert repository.get("m").model.predict({"x": np.zeros(1)})["prediction"].tolist() == [2.0]
    await until(lambda: [attrs.astuple(entry) for entry in repository.index()] == [("m", "1", "READY", "")])


async def test_a_version_is_closed_when_its_last_request_lets_it_go(tmp_path, publish):
    """W8: neither before, as the reload of a server that was measured does, nor only when the collector runs."""
    runtime = NotedRuntime()
    repository = ModelRepository(tmp_path, options=RepositoryOptions(runtimes={"noted": runtime}))
    publish(tmp_path, "m", 1, format="noted")
    await repository.refresh()
    taken = repository.get("m")
    publish(tmp_path, "m", 2, format="noted")
    await repository.refresh()
    assert states(repository) == {("m", "1"): "UNLOADING", ("m", "2"): "READY"}
    assert runtime.closed == []
    gc.disable()
    try:
        del taken
        await until(lambda: runtime.closed == ["1"])
        assert states(repository) == {("m", "2"): "READY"}
    finally:
        gc.enable()


async def test_a_request_that_failed_does_not_keep_its_model(tmp_path, publish):
    """W8: an error that went through a lane refers to no frame that refers to it."""
    runtime = NotedRuntime()
    repository = ModelRepository(tmp_path, options=RepositoryOptions(runtimes={"noted": runtime}))
    publish(tmp_path, "m", 1, format="noted")
    await repository.refresh()
    loaded = repository.get("m")
    object.__setattr__(loaded, "inline_elements", -1)
    execution = Execution()
    gc.disable()
    try:
        with contextlib.suppress(ModelFailed):  # pytest.raises would keep the error
            await execution.run(loaded, {"x": np.array(["a"])})
        del loaded
        await repository.unload("m")
        await until(lambda: runtime.closed == ["1"])
    finally:
        gc.enable()
        execution.close()


async def test_unload_takes_a_model_away_until_it_is_asked_for(three, publish):
    repository = ModelRepository(three)
    await repository.refresh()
    await repository.unload("m")
    await repository.refresh()
    with pytest.raises(NotReady, match="'m' is not ready: unloaded"):
        repository.get("m")
    assert IndexEntry("m", "3", "UNAVAILABLE", "unloaded") in repository.index()
    await repository.load("m")
    assert repository.get("m").version == "3"
    await until(lambda: states(repository) == {("m", "3"): "READY"})


async def test_a_version_is_loaded_again_while_a_request_still_has_the_one_that_was_unloaded(three):
    """W8: the two are one version and two models."""
    repository = ModelRepository(three)
    await repository.refresh()
    taken = repository.get("m")
    await repository.unload("m")
    await repository.load("m")
    assert repository.get("m") is not taken
    assert [(entry.version, entry.state) for entry in repository.index()] == [("3", "READY"), ("3", "UNLOADING")]
    del taken
    await until(lambda: [entry.state for entry in repository.index()] == ["READY"])
    await repository.unload("m")
    await until(lambda: "UNLOADING" not in [entry.state for entry in repository.index()])


async def test_without_autoload_a_model_waits_to_be_asked_for(three, publish):
    publish(three, "other", 1)
    repository = ModelRepository(three, options=RepositoryOptions(autoload=False))
    await repository.refresh()
    assert repository.models() == []
    assert states(repository)["m", "1"] == "UNAVAILABLE"
    await repository.load("m")
    assert [loaded.name for loaded in repository.models()] == ["m"]


async def test_a_load_that_fails_leaves_what_serves_and_says_why(three, publish):
    """W8."""
    repository = ModelRepository(three)
    await repository.refresh()
    broken = publish(three, "m", 4, weights(4), sha256="0" * 64)
    with pytest.raises(ModelError, match=r"failed to load 'm': version 4: model.bin: its SHA-256 is"):
        await repository.load("m")
    assert repository.get("m").version == "3"
    shutil.rmtree(broken)
    await repository.load("m")


async def test_what_cannot_be_loaded_or_unloaded_is_said(three):
    repository = ModelRepository(three)
    repository.add("coded", LinearModel())
    for act, what in ((repository.load, "load"), (repository.unload, "unload")):
        with pytest.raises(NotFound, match=f"failed to {what} 'nobody': there is no such model"):
            await act("nobody")
        with pytest.raises(ModelError, match=f"failed to {what} 'coded': it was added in code"):
            await act("coded")
    say(three, "m", versions=[9])
    repository = ModelRepository(three)
    with pytest.raises(ModelError, match="its settings name no version that is there"):
        await repository.load("m")


async def test_versions_made_in_code_serve_side_by_side():
    repository = ModelRepository()
    for version in ("1", "2", "10"):
        repository.add("m", LinearModel(version=version), beside=True)
    assert serving(repository) == ["10", "2", "1"]
    repository.add("m", LinearModel(version="3"))
    assert serving(repository) == ["3"]


async def test_a_version_that_is_not_warm_in_time_is_given_up(tmp_path, publish):
    """W4."""

    class Slow:
        def load(self, source):
            gate.wait(30)
            return LinearModel()

    gate = threading.Event()
    options = RepositoryOptions(runtimes={"slow": Slow(), **RUNTIMES}, load_seconds=0.2)
    repository = ModelRepository(tmp_path, options=options)
    publish(tmp_path, "m", 1)
    await repository.refresh()
    publish(tmp_path, "m", 2, format="slow")
    await repository.refresh()
    gate.set()
    assert repository.get("m").version == "1"
    assert repository.index()[1].reason == "it was not loaded and warm within 0.2 s"


async def test_answers_that_are_not_finite_are_no_answers(tmp_path, publish):
    """W2."""
    publish(tmp_path, "m", 1, b'{"bias": 1e308, "weight": 0}')
    (tmp_path / "m" / "1" / "warmup.json").write_text(
        '[{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}], "expected": '
        '[{"name": "prediction", "datatype": "FP64", "shape": [1], "data": [2]}]}]'
    )
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    assert "recorded request 0: output 'prediction' is off by 1e+308" in repository.index()[0].reason


async def test_a_loads_count_its_time_and_its_memory(three):
    """W4: warm-up is no request, and has a time of its own."""
    repository = ModelRepository(three)
    await repository.refresh()
    families = {family.name: family for family in repository.metrics().collect()}
    found = {name: {tuple(s.labels.values()): s.value for s in family.samples} for name, family in families.items()}
    assert found["windlass_serving_model_loads"] == {("m", "ready"): 1}
    warming, whole = (found[f"windlass_serving_model_{part}_seconds"]["m",] for part in ("warmup", "load"))
    assert 0 < warming <= whole
    assert found["windlass_serving_model_bytes"]["m", "3"] >= len(weights(3))


async def test_readiness_comes_after_load_and_warm_up_and_then_the_first_request_is_answered(tmp_path, publish):
    """W5: and whether the process lives is answered all the while (W4)."""
    gate = threading.Event()

    class Gated(LinearModel):
        def predict(self, inputs, /):
            assert gate.wait(30)
            return super().predict(inputs)

    class Runtime:
        def load(self, source):
            return Gated()

    publish(tmp_path, "m", 1, format="gated")
    repository = ModelRepository(tmp_path, options=RepositoryOptions(runtimes={"gated": Runtime()}))
    endpoint = Endpoint(repository, port=0)
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:

        async def status(path):
            async with session.get(path) as response:
                return response.status

        await until(lambda: states(repository) == {("m", "1"): "LOADING"})
        for path, expected in (("/v2/health/live", 200), ("/v2/health/ready", 503), ("/v2/models/m/ready", 503)):
            assert await status(path) == expected
        gate.set()
        while await status("/v2/health/ready") != 200:  # noqa: ASYNC110  (the repository brings it about)
            await asyncio.sleep(0.005)
        async with session.post("/v1/models/m:predict", json={"instances": [2.5]}) as response:
            assert (response.status, await response.json()) == (200, {"predictions": [-0.5]})


async def test_loads_that_are_asked_for_at_the_same_time_follow_each_other_and_the_last_wins(tmp_path, publish):
    """W8."""

    class Counting:
        at_once, most = 0, 0

        def load(self, source):
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            model = LinearModel(version=source.version)
            self.at_once -= 1
            return model

    runtime = Counting()
    repository = ModelRepository(tmp_path, options=RepositoryOptions(runtimes={"counting": runtime}))
    loads = []
    for version in range(1, 6):
        publish(tmp_path, "m", version, format="counting")
        publish(tmp_path, "n", version, format="counting")
        loads += [asyncio.create_task(repository.load(name)) for name in ("m", "n")]
        await asyncio.sleep(0)
    await asyncio.gather(*loads)
    assert (repository.get("m").version, repository.get("n").version, runtime.most) == ("5", "5", 1)


async def test_a_version_that_is_named_and_not_there_is_the_reason_why_nothing_serves(tmp_path, publish):
    """Whoever reads that it is being loaded would wait for ever."""
    publish(tmp_path, "m", 1)
    say(tmp_path, "m", versions=[7])
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    with pytest.raises(NotReady, match=r"^model 'm' is not ready: version 7, which its settings name, is not there$"):
        repository.get("m")
    publish(tmp_path, "m", 7)
    await repository.refresh()
    assert repository.get("m").version == "7"
    repository.close()
