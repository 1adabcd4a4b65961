"""Where a model runs, and what happens to those who wait."""

import asyncio
import gc
import threading
import weakref

import attrs
import numpy as np
import pytest

from windlass.serving.batching.execution import Execution
from windlass.serving.errors import ModelFailed, NotReady, Overloaded
from windlass.serving.model import LoadedModel
from windlass.serving.policy import Batching, Limits, Policy
from windlass.serving.runtimes.linear import LinearModel

X = {"x": np.zeros(2)}


class Blocking(LinearModel):
    """Waits in `predict` until `release` is set."""

    started = None
    release = None
    calls = 0

    def predict(self, inputs, /):
        type(self).calls += 1
        self.started.set()
        assert self.release.wait(10)
        return super().predict(inputs)


def blocking(requests_max=256):
    kind = type("Blocking", (Blocking,), {"started": threading.Event(), "release": threading.Event(), "calls": 0})
    return LoadedModel("blocking", "1", kind(), policy=Policy(Limits(requests_max=requests_max)))


class Where(LinearModel):
    def predict(self, inputs, /):
        return {"prediction": np.array([float(threading.current_thread() is threading.main_thread())])}


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (threads set what is waited for)
            await asyncio.sleep(0.005)


@pytest.mark.realtime
@pytest.mark.parametrize(("limit", "inline"), [(-1, 0.0), (1, 0.0), (2, 1.0), (3, 1.0)])
async def test_only_inputs_within_the_measured_size_run_on_the_loop(limit, inline):
    execution = Execution()
    answer = await execution.run(LoadedModel("m", "1", Where(), inline_elements=limit), X)
    assert [inline] == answer["prediction"].tolist()
    execution.close()


@pytest.mark.realtime
@pytest.mark.parametrize("rows", [1, 2, 3])
async def test_a_model_that_gains_nothing_from_batching_computes_small_requests_at_once(rows):
    """And larger ones in a thread, together; one that loses rows answers nobody either way (DB13)."""
    execution, where = Execution(), Where()
    model = LoadedModel("m", "1", where, inline_elements=2, direct=True, policy=Policy(batching=Batching()))
    if rows == 1:
        answer = await execution.run(model, {"x": np.zeros(1)})
        assert answer["prediction"].tolist() == [1.0]
    else:
        with pytest.raises(ModelFailed, match=f"output 'prediction' has 1 rows for {rows}"):
            await execution.run(model, {"x": np.zeros(rows)})
    assert len(execution._lanes) == (rows > 2)
    execution.close()


@pytest.mark.realtime
async def test_the_loop_turns_while_a_model_computes():
    """R1."""
    execution, model = Execution(threads=1), blocking()
    running = asyncio.create_task(execution.run(model, X))
    await until(model.model.started.is_set)
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(0)
    assert asyncio.get_running_loop().time() - before < 0.1
    model.model.release.set()
    await running
    execution.close()


@pytest.mark.realtime
async def test_more_than_may_wait_are_refused_at_once():
    """R11."""
    execution, model = Execution(threads=1), blocking(requests_max=1)
    accepted = [asyncio.create_task(execution.run(model, X)) for _ in range(2)]
    await until(model.model.started.is_set)
    with pytest.raises(Overloaded, match="as many requests wait as may"):
        await execution.run(model, X)
    model.model.release.set()
    await asyncio.gather(*accepted)
    await until(lambda: repr(execution) == "<Execution in_threads=0 waiting=0>")
    execution.close()


@pytest.mark.realtime
async def test_work_that_nobody_waits_for_any_more_is_not_begun():
    """DB21."""
    execution, model = Execution(threads=1), blocking()
    running = asyncio.create_task(execution.run(model, X))
    await until(model.model.started.is_set)
    waiting = asyncio.create_task(execution.run(model, X))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    model.model.release.set()
    await running
    await until(lambda: "in_threads=0" in repr(execution))
    assert model.model.calls == 1
    execution.close()


@pytest.mark.realtime
async def test_an_abandoned_computation_still_counts_until_its_thread_is_free():
    execution, model = Execution(threads=1), blocking()
    running = asyncio.create_task(execution.run(model, X))
    await until(model.model.started.is_set)
    running.cancel()
    await asyncio.wait({running})
    assert execution.free == 0
    after = asyncio.create_task(execution.run(model, X))
    await asyncio.sleep(0.02)
    assert model.model.calls == 1
    model.model.release.set()
    await after
    await until(lambda: "in_threads=0" in repr(execution))
    execution.close()


@pytest.mark.realtime
async def test_models_take_turns_at_the_threads():
    """One model's queue does not make another wait for more than the execution under way."""
    execution, order = Execution(threads=1), []

    class Noting(LinearModel):
        def predict(self, inputs, /):
            order.append(self.name)
            return super().predict(inputs)

    gate = blocking()
    busy = asyncio.create_task(execution.run(gate, X))
    await until(gate.model.started.is_set)
    models = {name: LoadedModel(name, "1", Noting(name=name)) for name in "ab"}
    asking = [asyncio.create_task(execution.run(models[name], X)) for name in "aaab"]
    await asyncio.sleep(0)
    gate.model.release.set()
    await asyncio.gather(busy, *asking)
    assert order.index("b") < 2
    execution.close()


@pytest.mark.realtime
async def test_a_reload_never_mixes_weights_in_one_execution():
    """DB7."""
    execution, policy = Execution(threads=1), Policy(batching=Batching())
    gate = blocking()
    busy = asyncio.create_task(execution.run(gate, X))
    await until(gate.model.started.is_set)
    loaded = [LoadedModel("m", str(bias), LinearModel(bias=bias), policy=policy) for bias in (1.0, 2.0)]
    asking = [asyncio.create_task(execution.run(loaded[index % 2], X)) for index in range(6)]
    await asyncio.sleep(0)
    gate.model.release.set()
    answers = await asyncio.gather(*asking)
    assert [answer["prediction"].tolist() for answer in answers] == [[1.0, 1.0], [2.0, 2.0]] * 3
    await busy
    execution.close()


@pytest.mark.realtime
async def test_a_model_that_was_let_go_of_is_not_kept_by_what_it_once_computed():
    execution = Execution()
    model = LoadedModel("m", "1", Where())
    await execution.run(model, X)
    kept = weakref.ref(model)
    del model
    await until(lambda: gc.collect() >= 0 and kept() is None)
    execution.close()


@pytest.mark.realtime
@pytest.mark.parametrize("limit", [-1, 100])
async def test_whatever_a_model_raises_is_an_error_of_the_model(limit):
    class Broken(LinearModel):
        def predict(self, inputs, /):
            raise KeyError("weights")

    execution = Execution()
    with pytest.raises(ModelFailed, match=r"model 'm' version 1 failed: KeyError: 'weights'"):
        await execution.run(LoadedModel("m", "1", Broken(), inline_elements=limit), X)
    execution.close()


@pytest.mark.realtime
async def test_a_model_may_say_itself_that_it_cannot_answer_now():
    class Resting(LinearModel):
        def predict(self, inputs, /):
            raise NotReady("resting")

    execution = Execution()
    with pytest.raises(NotReady, match="resting"):
        await execution.run(LoadedModel("m", "1", Resting(), inline_elements=100), X)
    execution.close()


def test_frozen_models_can_be_evolved():
    """The repository adds labels to what the warm-up returned."""
    assert attrs.evolve(LoadedModel("m", "1", LinearModel()), labels=("a",)).labels == ("a",)


@pytest.mark.realtime
async def test_a_model_with_a_thread_of_its_own_needs_none_of_the_others_and_leaves_none():
    gate = threading.Event()

    @attrs.frozen
    class Waiting(LinearModel):
        def predict(self, inputs, /):
            assert gate.wait(30)
            return super().predict(inputs)

    def threads():
        return {one for one in threading.enumerate() if one.name == "windlass-model"}

    before = threads()
    execution = Execution(threads=1)
    alone = LoadedModel("alone", "1", Waiting(), alone=True)
    waiting = [asyncio.create_task(execution.run(alone, {"x": np.zeros(1)})) for _ in range(3)]
    await asyncio.sleep(0)
    await execution.run(LoadedModel("shared", "1", LinearModel()), {"x": np.zeros(1)})
    assert len(threads() - before) == 2
    gate.set()
    await asyncio.gather(*waiting)
    execution.close()
    while threads() - before:  # noqa: ASYNC110  (the threads bring it about)
        await asyncio.sleep(0.005)
