"""Requests that share an execution: each gets its own answer, whatever happens to the others."""

import asyncio
import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.envtest.virtualtime import run_virtual
from windlass.serving.batching.ask import Ask
from windlass.serving.batching.lane import Lane
from windlass.serving.errors import BadRequest, DeadlineExceeded, ModelFailed, NotReady, Overloaded
from windlass.serving.metrics import Metrics
from windlass.serving.model import LoadedModel
from windlass.serving.policy import Batching, Limits, Policy
from windlass.serving.tensors import TensorSpec

UNHURRIED = Ask()


class Doubling:
    """Rows of any width, doubled; a row that begins with 13 is more than it can bear."""

    name, version, platform = "doubling", "1", "test_test"
    inputs = outputs = (TensorSpec("x", "FP64", (-1, -1)),)

    def __init__(self, raises=ZeroDivisionError):
        self.raises = raises
        self.calls = []

    def predict(self, inputs, /):
        self.calls.append(inputs["x"].shape)
        if 13 in inputs["x"][:, 0]:
            raise self.raises("thirteen")
        return {"x": inputs["x"] * 2}


class Threads:
    """Threads of a virtual time: each computation takes `seconds`."""

    def __init__(self, count=1, seconds=1.0):
        self.free, self.seconds, self.waiting = count, seconds, []

    def submit(self, job, done, *, customer):
        assert self.free > 0
        self.free -= 1
        asyncio.get_running_loop().call_later(self.seconds, self._ended, job, done)

    def _ended(self, job, done):
        self.free += 1
        done(job())
        while self.waiting and self.free:
            self.waiting.pop(0).turn()

    def hungry(self, lane):
        self.waiting.append(lane)


def made(*, limits=None, inline_elements=-1, threads=None, model=None, **batching):
    policy = Policy(limits or Limits(), Batching(**batching))
    loaded = LoadedModel("m", "1", model or Doubling(), policy=policy, inline_elements=inline_elements)
    metrics = Metrics()
    return Lane(loaded, threads or Threads(), metrics=metrics), loaded, metrics.registry


def x(*values, width=1):
    return {"x": np.array([[float(value)] * width for value in values])}


def asked(lane, model, inputs, ask=UNHURRIED):
    return asyncio.create_task(lane.run(model, inputs, ask))


def is_idle(lane):
    return (repr(lane), lane._members) == ("<Lane m waiting=0 running=0>", {})


async def test_requests_of_one_moment_are_computed_together_and_answered_apart():
    lane, model, registry = made()
    answers = await asyncio.gather(*(lane.run(model, x(*range(n)), UNHURRIED) for n in (1, 2, 3)))
    assert model.model.calls == [(6, 1)]
    assert [answer["x"].ravel().tolist() for answer in answers] == [[0], [0, 2], [0, 2, 4]]
    assert is_idle(lane)
    assert registry.get_sample_value("windlass_serving_execution_rows_sum", {"model": "m", "version": "1"}) == 6
    assert (
        registry.get_sample_value("windlass_serving_queue_duration_seconds_count", {"model": "m", "version": "1"}) == 3
    )


async def test_other_shapes_wait_for_their_own_execution():
    """DB6: the reference server that merges them mixes up the answers."""
    lane, model, _ = made()
    requests = [x(1, width=2), x(2, width=3), x(3, width=2)]
    answers = await asyncio.gather(*(lane.run(model, one, UNHURRIED) for one in requests))
    assert model.model.calls == [(2, 2), (1, 3)]
    assert [answer["x"].tolist() for answer in answers] == [[[2, 2]], [[4, 4, 4]], [[6, 6]]]


async def test_a_delay_gathers_those_who_come_within_it():
    """DB3: counted from the first, in the wait measured."""
    lane, model, registry = made(delay_seconds=2.0, threads=Threads(seconds=0.0))
    first = asked(lane, model, x(1))
    await asyncio.sleep(1.5)
    second = asked(lane, model, x(2))
    await asyncio.gather(first, second)
    assert asyncio.get_running_loop().time() == 2.0
    assert model.model.calls == [(2, 1)]
    assert (
        registry.get_sample_value("windlass_serving_queue_duration_seconds_sum", {"model": "m", "version": "1"}) == 2.5
    )


@pytest.mark.parametrize("leaving", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "running"])
async def test_whoever_leaves_takes_nobody_along(leaving, begun):
    """DB10, G6: the reference server that indexes its futures hangs here for ever."""
    lane, model, registry = made(delay_seconds=0.5)
    asking = [asked(lane, model, x(n)) for n in range(3)]
    await asyncio.sleep(1.0 if begun else 0.2)
    for index in leaving:
        asking[index].cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    for index, answer in enumerate(answers):
        if index in leaving:
            assert isinstance(answer, asyncio.CancelledError)
        else:
            assert answer["x"].tolist() == [[2 * index]]
    await asyncio.sleep(5)
    assert model.model.calls == ([(3, 1)] if begun else [(3 - len(leaving), 1)] if len(leaving) < 3 else [])
    assert is_idle(lane)
    labels = {"model": "m", "reason": "cancelled"}
    assert registry.get_sample_value("windlass_serving_shed_total", labels) == len(leaving)


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
async def test_only_the_request_at_fault_gets_the_error(error):
    """DB12."""
    model = Doubling(raises=error)
    lane, loaded, _ = made(model=model)
    answers = await asyncio.gather(*(asked(lane, loaded, x(n)) for n in (1, 13, 2)), return_exceptions=True)
    assert [answers[0]["x"].tolist(), answers[2]["x"].tolist()] == [[[2]], [[4]]]
    assert isinstance(answers[1], ModelFailed)
    assert model.calls == [(3, 1), (1, 1), (1, 1), (1, 1)]
    assert is_idle(lane)


async def test_without_retries_all_of_the_batch_get_the_error():
    """DB12."""
    lane, model, _ = made(retry_alone=False)
    answers = await asyncio.gather(*(asked(lane, model, x(n)) for n in (1, 13)), return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["ModelFailed"] * 2
    assert model.model.calls == [(2, 1)]


async def test_a_model_that_loses_rows_fails_all_of_the_batch_and_is_not_asked_again():
    """DB13."""

    class Losing(Doubling):
        def predict(self, inputs, /):
            return {"x": super().predict(inputs)["x"][:-1]}

    lane, model, _ = made(model=Losing())
    answers = await asyncio.gather(*(asked(lane, model, x(n)) for n in (1, 2)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["model 'm': output 'x' has 1 rows for 2"] * 2
    assert model.model.calls == [(2, 1)]


async def test_a_deadline_ends_the_wait_then_and_there_and_the_work():
    """DB11, DB17: not when the thread is free."""
    lane, model, registry = made(rows_max=1, threads=Threads(seconds=10.0))
    loop = asyncio.get_running_loop()
    running, waiting = asked(lane, model, x(1)), asked(lane, model, x(2), Ask(deadline=3.0))
    with pytest.raises(DeadlineExceeded, match="no answer within the time given"):
        await waiting
    assert loop.time() == 3.0
    assert (await running)["x"].tolist() == [[2]]
    await asyncio.sleep(20)
    assert model.model.calls == [(1, 1)]
    assert registry.get_sample_value("windlass_serving_shed_total", {"model": "m", "reason": "expired"}) == 1


async def test_a_deadline_also_ends_the_wait_for_what_is_computed():
    lane, model, _ = made(threads=Threads(seconds=10.0))
    patient, hasty = asked(lane, model, x(1)), asked(lane, model, x(2), Ask(deadline=3.0))
    with pytest.raises(DeadlineExceeded):
        await hasty
    assert asyncio.get_running_loop().time() == 3.0
    assert (await patient)["x"].tolist() == [[2]]


async def test_a_full_queue_refuses_before_and_after_the_body():
    """DB15, DB19."""
    lane, model, registry = made(limits=Limits(requests_max=2), rows_max=1, threads=Threads(seconds=4.0))
    await lane.run(model, x(0), UNHURRIED)
    lane.refuse_if_full()
    running = asked(lane, model, x(1))
    await asyncio.sleep(1)
    waiting = [asked(lane, model, x(n)) for n in (2, 3)]
    await asyncio.sleep(1)
    with pytest.raises(Overloaded, match=r"^model 'm': as many requests wait as may$") as caught:
        lane.refuse_if_full()
    assert caught.value.headers == {"Retry-After": "8"}
    with pytest.raises(Overloaded, match=r"^model 'm': as many requests wait as may$") as caught:
        await lane.run(model, x(4), UNHURRIED)
    assert caught.value.headers == {"Retry-After": "8"}
    await asyncio.gather(running, *waiting)
    assert len(model.model.calls) == 4
    assert registry.get_sample_value("windlass_serving_shed_total", {"model": "m", "reason": "rejected"}) == 2


async def test_a_priority_goes_first():
    lane, model, _ = made(rows_max=1)
    order = []

    async def one(number, priority):
        await lane.run(model, x(number), Ask(priority=priority))
        order.append(number)

    await asyncio.gather(one(1, 0), one(2, 0), one(3, 5))
    assert order == [3, 1, 2]


async def test_more_rows_than_allowed_are_a_bad_request():
    """DB1."""
    lane, model, _ = made(rows_max=2, oversized="refuse")
    with pytest.raises(BadRequest, match=r"^model 'm' computes at most 2 rows a request$"):
        await lane.run(model, x(1, 2, 3), UNHURRIED)
    assert is_idle(lane)


async def test_a_model_that_says_it_cannot_answer_now_is_believed():
    class Resting(Doubling):
        def predict(self, inputs, /):
            raise NotReady("resting")

    lane, model, _ = made(model=Resting())
    with pytest.raises(NotReady, match="resting"):
        await lane.run(model, x(1), UNHURRIED)


async def test_those_who_wait_when_it_closes_are_cancelled():
    lane, model, _ = made(delay_seconds=5.0)
    waiting = asked(lane, model, x(1))
    await asyncio.sleep(1)
    lane.close()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert is_idle(lane)


async def test_an_idle_lane_does_not_keep_its_model():
    lane, model, _ = made()
    await lane.run(model, x(1), UNHURRIED)
    kept = weakref.ref(model.model)
    del model
    gc.collect()
    assert kept() is None


async def test_an_answer_that_comes_with_a_cancellation_is_not_reported_as_lost():
    """DB10."""
    lost = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    lane, model, _ = made()
    asking = asked(lane, model, x(13))
    await asyncio.sleep(0)
    member = next(iter(lane._members.values()))
    await asyncio.wait({member.answer})
    asking.cancel()
    await asyncio.wait({asking})
    del member, asking
    gc.collect()
    assert lost == []


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    widths=st.integers(1, 2),
    rows_max=st.integers(1, 8),
    inline=st.sampled_from([-1, 4, 1000]),
    delay=st.sampled_from([0.0, 0.5]),
    goal=st.sampled_from([None, 1.5, 100.0]),
    leaving=st.sets(st.integers(0, 11)),
    bad=st.sets(st.integers(0, 11), max_size=3),
)
def test_an_answer_does_not_depend_on_who_else_asked(counts, widths, rows_max, inline, delay, goal, leaving, bad):
    """DB9, DB10, DB12, DB14: every request that stays gets exactly what it gets when it asks alone."""

    async def scenario():
        lane, model, _ = made(rows_max=rows_max, delay_seconds=delay, inline_elements=inline, latency_goal_seconds=goal)
        requests = [
            x(*(13 if index in bad else 100 * index + row for row in range(rows)), width=1 + index % widths)
            for index, rows in enumerate(counts)
        ]
        asking = []
        for index, one in enumerate(requests):
            asking.append(asked(lane, model, one))
            await asyncio.sleep(0.1 * (index % 3))
        for index in leaving & set(range(len(asking))):
            asking[index].cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        for index, (one, answer) in enumerate(zip(requests, answers, strict=True)):
            if isinstance(answer, asyncio.CancelledError):
                assert index in leaving
            elif index in bad:
                assert isinstance(answer, ModelFailed)
            else:
                assert np.array_equal(answer["x"], one["x"] * 2)
        await asyncio.sleep(60)
        assert is_idle(lane)

    run_virtual(scenario())


async def test_a_version_that_has_just_begun_to_serve_is_asked_less():
    """W6: a fourth at first, all at the end; those that are refused are told to come again."""
    limits = Limits(requests_max=8, slow_start_seconds=30.0)
    lane, model, registry = made(limits=limits, rows_max=1, threads=Threads(count=8, seconds=1.0))
    answered = []
    for moment in (0.0, 16.0, 31.0):
        await asyncio.sleep(moment - asyncio.get_running_loop().time())
        tasks = [asked(lane, model, x(number)) for number in range(10)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        answered.append(sum(isinstance(one, dict) for one in results))
        assert {type(one) for one in results} == {dict, Overloaded}
    assert answered == [2, 5, 8]
    assert registry.get_sample_value("windlass_serving_shed_total", {"model": "m", "reason": "rejected"}) == 15
