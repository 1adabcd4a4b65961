"""Models that appear, change, break and vanish, while others serve."""

import asyncio
import logging
import shutil
import threading

import attrs
import numpy as np
import pytest

from windlass.serving import runtimes
from windlass.serving.errors import ModelError, NotFound, NotReady
from windlass.serving.policy import Batching, Limits, Policy
from windlass.serving.repository.options import RepositoryOptions
from windlass.serving.repository.repository import IndexEntry, ModelRepository
from windlass.serving.runtimes.linear import LinearModel

pytestmark = pytest.mark.realtime


def prediction(loaded, x=0.0):
    return float(loaded.model.predict({"x": np.array([x])})["prediction"][0])


def weights(bias):
    return b'{"bias": %d, "weight": 0}' % bias


async def test_a_model_added_in_code_serves_at_once():
    repository = ModelRepository()
    assert repository.not_ready_because() == "no model is loaded"
    repository.add("linear", LinearModel())
    assert repository.not_ready_because() is None
    assert prediction(repository.get("linear"), 2.5) == -0.5
    assert repr(repository) == "<ModelRepository in memory serving linear=1>"


@pytest.mark.parametrize("name", ["", "a/b", "a:predict", ".a"])
async def test_a_name_that_fits_into_no_path_is_refused(name):
    """V1-4."""
    with pytest.raises(ModelError, match="cannot be called"):
        ModelRepository().add(name, LinearModel())


async def test_the_highest_version_of_a_folder_serves(tmp_path, publish):
    publish(tmp_path, "m", 2, weights(2))
    publish(tmp_path, "m", 10, weights(10))
    repository = ModelRepository(tmp_path)
    assert "first scan" in repository.not_ready_because()
    await repository.refresh()
    assert (repository.get("m").version, prediction(repository.get("m"))) == ("10", 10.0)
    assert repository.not_ready_because() is None


async def test_labels_and_metadata_come_with_the_model(tmp_path, publish):
    publish(tmp_path, "m", 1, labels=["no", "yes"], metadata={"job": "a/b", "accuracy": 0.97})
    repository = ModelRepository(tmp_path)
    loaded = await repository.wait_for("m")
    assert (loaded.labels, loaded.metadata) == (("no", "yes"), {"job": "a/b", "accuracy": "0.97"})


async def test_a_new_version_replaces_the_old_one_and_a_request_keeps_what_it_took(tmp_path, publish):
    """W8."""
    repository = ModelRepository(tmp_path)
    publish(tmp_path, "m", 1, weights(1))
    await repository.refresh()
    taken = repository.get("m")
    publish(tmp_path, "m", 2, weights(2))
    await repository.refresh()
    assert (prediction(taken), prediction(repository.get("m"))) == (1.0, 2.0)


async def test_an_unchanged_folder_is_not_loaded_again(tmp_path, publish):
    publish(tmp_path, "m", 1)
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    first = repository.get("m")
    await repository.refresh()
    assert first is repository.get("m")


async def test_the_policy_of_a_folder_and_of_a_model_made_in_code(tmp_path, publish):
    repository = ModelRepository(tmp_path)
    publish(tmp_path, "m", 1, batching={"rows_max": 7}, limits={"requests_max": 3})
    await repository.refresh()
    assert repository.get("m").policy == Policy(Limits(requests_max=3), Batching(rows_max=7))
    policy = Policy(Limits(rows_max=9))
    assert repository.add("coded", LinearModel(), policy=policy).policy == policy


BROKEN = [
    pytest.param({"batching": {"rows_max": 0}}, "batching: rows_max: expected at least 1, found 0", id="policy"),
    pytest.param({"sha256": "0" * 64}, "its SHA-256 is", id="digest"),
    pytest.param(
        {"format": "pickle"}, "format 'pickle' is unknown; known: ensemble, linear, onnx", id="unknown format"
    ),
    pytest.param({"format": "onnx"}, "is not a model that ONNX Runtime can load", id="not ONNX"),
    pytest.param({"file": "other.bin"}, "'other.bin', which is not in the folder", id="file missing"),
    pytest.param({"file": "../1/model.bin"}, "plain file name", id="file outside"),
    pytest.param({"labels": 3}, "labels: expected array", id="bad description"),
]


@pytest.mark.parametrize(("changes", "why"), BROKEN)
async def test_a_version_that_does_not_load_leaves_the_old_one_and_says_why(tmp_path, publish, caplog, changes, why):
    """W7, W8."""
    repository = ModelRepository(tmp_path)
    publish(tmp_path, "m", 1, weights(1))
    await repository.refresh()
    publish(tmp_path, "m", 2, weights(2), **changes)
    with caplog.at_level(logging.ERROR):
        await repository.refresh()
        await repository.refresh()
    assert prediction(repository.get("m")) == 1.0
    ready, broken = repository.index()
    assert IndexEntry("m", "1", "READY") == ready
    assert (broken.version, broken.state) == ("2", "UNAVAILABLE")
    assert why in broken.reason
    assert len(caplog.records) == 1, "logged once, not at each scan"
    assert "version 1 serves on" in caplog.text
    assert repository.not_ready_because() is None


async def test_a_broken_first_version_is_known_but_not_ready(tmp_path, publish):
    """R3."""
    publish(tmp_path, "m", 1, sha256="0" * 64)
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    with pytest.raises(NotReady, match=r"'m' is not ready: .*SHA-256"):
        repository.get("m")
    assert repository.not_ready_because() == "no model is loaded"
    with pytest.raises(ModelError, match=r"version 1 did not load: .*SHA-256"):
        await repository.wait_for("m")


async def test_the_version_below_serves_when_the_highest_is_broken_from_the_start(tmp_path, publish):
    publish(tmp_path, "m", 1, weights(1))
    publish(tmp_path, "m", 2, sha256="0" * 64)
    repository = ModelRepository(tmp_path)
    await repository.refresh()
    assert repository.get("m").version == "1"


async def test_a_repaired_version_is_loaded(tmp_path, publish):
    repository = ModelRepository(tmp_path)
    publish(tmp_path, "m", 1, sha256="0" * 64)
    await repository.refresh()
    shutil.rmtree(tmp_path / "m" / "1")
    publish(tmp_path, "m", 1, weights(1))
    await repository.refresh()
    assert [IndexEntry("m", "1", "READY")] == repository.index()


async def test_a_model_whose_folder_is_gone_is_unloaded(tmp_path, publish):
    repository = ModelRepository(tmp_path)
    publish(tmp_path, "m", 1)
    publish(tmp_path, "other", 1)
    await repository.refresh()
    shutil.rmtree(tmp_path / "m")
    await repository.refresh()
    with pytest.raises(NotFound, match="there is no model 'm'"):
        repository.get("m")
    assert [loaded.name for loaded in repository.models()] == ["other"]


async def test_taking_a_version_away_rolls_back(tmp_path, publish):
    repository = ModelRepository(tmp_path)
    publish(tmp_path, "m", 1, weights(1))
    publish(tmp_path, "m", 2, weights(2))
    await repository.refresh()
    shutil.rmtree(tmp_path / "m" / "2")
    await repository.refresh()
    assert repository.get("m").version == "1"


async def test_nothing_is_unloaded_when_the_repository_itself_cannot_be_listed(tmp_path, publish, caplog):
    """A volume that is not mounted for a moment must not take every model away."""
    root = tmp_path / "models"
    publish(root, "m", 1)
    repository = ModelRepository(root)
    await repository.refresh()
    root.rename(tmp_path / "away")
    await repository.refresh()
    await repository.refresh()
    assert repository.get("m").version == "1"
    assert caplog.text.count("cannot list the model repository") == 1


async def test_a_repository_that_never_could_be_listed_is_not_ready_and_says_so(tmp_path):
    repository = ModelRepository(tmp_path / "nowhere")
    await repository.refresh()
    assert "cannot list the model repository" in repository.not_ready_because()


async def test_required_models_hold_readiness_back(tmp_path, publish):
    """R2."""
    repository = ModelRepository(tmp_path, required=("m", "n"))
    publish(tmp_path, "m", 1)
    await repository.refresh()
    assert repository.not_ready_because() == "required models are not loaded: n"
    publish(tmp_path, "n", 1)
    await repository.refresh()
    assert repository.not_ready_because() is None


async def test_a_folder_cannot_take_the_name_of_a_model_added_in_code(tmp_path, publish):
    repository = ModelRepository(tmp_path)
    repository.add("linear", LinearModel())
    publish(tmp_path, "linear", 5, weights(5))
    await repository.refresh()
    assert prediction(repository.get("linear"), 2.5) == -0.5
    assert "added in code" in repository.index()[1].reason
    shutil.rmtree(tmp_path / "linear")
    await repository.refresh()
    assert [IndexEntry("linear", "1", "READY")] == repository.index()


async def test_only_the_version_that_serves_is_found():
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    assert repository.get("linear", "1").version == "1"
    with pytest.raises(NotFound, match="no version '2'; version '1' serves"):
        repository.get("linear", "2")


async def test_a_running_repository_sees_what_is_published_later(tmp_path, publish):
    repository = ModelRepository(tmp_path, poll_seconds=0.01)
    watch = asyncio.create_task(repository.run())
    waiting = asyncio.create_task(repository.wait_for("m", 2))
    publish(tmp_path, "m", 1, weights(1))
    await repository.wait_for("m")
    assert not waiting.done()
    publish(tmp_path, "m", 2, weights(2))
    assert (await waiting).version == "2"
    watch.cancel()
    await asyncio.wait({watch})


async def test_whoever_waits_for_a_version_is_content_with_a_later_one(tmp_path, publish):
    publish(tmp_path, "m", 3)
    assert (await ModelRepository(tmp_path).wait_for("m", 2)).version == "3"


async def test_whoever_waits_for_a_version_that_fails_is_told(tmp_path, publish):
    repository = ModelRepository(tmp_path, poll_seconds=0.01)
    publish(tmp_path, "m", 1)
    watch = asyncio.create_task(repository.run())
    waiting = asyncio.create_task(repository.wait_for("m", 2))
    await repository.wait_for("m", 1)
    publish(tmp_path, "m", 2, sha256="0" * 64)
    with pytest.raises(ModelError, match="version 2 did not load"):
        await waiting
    watch.cancel()
    await asyncio.wait({watch})


@attrs.frozen
class Held:
    """A runtime whose loads wait until they are let go."""

    entered: threading.Event = attrs.field(factory=threading.Event)
    let_go: threading.Event = attrs.field(factory=threading.Event)

    def load(self, source):
        self.entered.set()
        assert self.let_go.wait(10)
        return LinearModel(bias=9.0, version=source.version)


async def test_the_loop_turns_and_the_old_version_serves_while_a_new_one_loads(tmp_path, publish, monkeypatch):
    """R4: a reload does not flip readiness."""
    held = Held()
    options = RepositoryOptions(runtimes={**runtimes.RUNTIMES, "held": held})
    repository = ModelRepository(tmp_path, options=options)
    publish(tmp_path, "m", 1, weights(1))
    await repository.refresh()
    publish(tmp_path, "m", 2, format="held")
    refreshing = asyncio.create_task(repository.refresh())
    await asyncio.to_thread(held.entered.wait, 10)
    assert [IndexEntry("m", "1", "READY"), IndexEntry("m", "2", "LOADING")] == repository.index()
    assert repository.not_ready_because() is None
    assert prediction(repository.get("m")) == 1.0
    held.let_go.set()
    await refreshing
    assert repository.get("m").version == "2"


async def test_a_runtime_that_raises_anything_else_breaks_only_its_version(tmp_path, publish, monkeypatch):
    class Raising:
        def load(self, source):
            raise ZeroDivisionError("bug")

    options = RepositoryOptions(runtimes={**runtimes.RUNTIMES, "raising": Raising()})
    publish(tmp_path, "a", 1, format="raising")
    publish(tmp_path, "b", 1)
    repository = ModelRepository(tmp_path, options=options)
    await repository.refresh()
    assert repository.index()[0].reason == "ZeroDivisionError: bug"
    assert [loaded.name for loaded in repository.models()] == ["b"]


async def test_an_unreadable_file_is_tried_again_at_the_next_scan(tmp_path, publish, monkeypatch):
    """A failing disk passes; it is not the model's fault."""
    publish(tmp_path, "m", 1)
    repository = ModelRepository(tmp_path)

    def failing(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken_disk:
        broken_disk.setattr("windlass.serving.repository.loading.read_verified", failing)
        await repository.refresh()
    assert repository.index()[0].reason == "cannot be read: Input/output error"
    await repository.refresh()
    assert [IndexEntry("m", "1", "READY")] == repository.index()
