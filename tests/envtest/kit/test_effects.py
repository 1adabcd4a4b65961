"""The count of what happened outside, and the moments before and after it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from windlass.envtest.kit.effects import Effects
from windlass.envtest.kit.lives import Ended, Life, mortality


def test_each_effect_is_counted_by_its_words():
    effects = Effects()
    effects.record("open", "Ada")
    effects.record("open", "Ada")
    effects.record("close")
    assert effects.counts == {"open Ada": 2, "close": 1}
    assert repr(effects) == "<Effects {'open Ada': 2, 'close': 1}>"


def test_a_run_begins_with_none():
    effects = Effects()
    effects.record("open")
    effects.begin()
    assert effects.counts == {}


def test_what_was_read_does_not_change_later():
    effects = Effects()
    before = effects.counts
    effects.record("open")
    assert before == {}


def test_no_effect_of_any_thread_is_lost():
    effects = Effects()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: effects.record("a"), range(4000)))
    assert effects.counts == {"a": 4000}


def test_outside_of_a_life_an_effect_is_done_and_counted():
    effects = Effects()
    with effects.doing("open", "Ada"):
        assert effects.counts == {}
    assert effects.counts == {"open Ada": 1}


@pytest.mark.realtime
@pytest.mark.parametrize(("moment", "done"), [("before", 0), ("after", 1)])
async def test_a_life_ends_at_the_moment_of_an_effect_in_a_thread(moment, done):
    effects, reached, world = Effects(), [], []

    def work():
        with effects.doing("open"):
            world.append("open")
        reached.append("beyond")

    async def main():
        await asyncio.to_thread(work)
        reached.append("after the thread")

    with mortality():
        life = Life()
        life.doomed = lambda met, effect: (met, effect) == (moment, "open")
        life.begin(main())
        await life.ended.wait()
        await life.bury()

    assert (len(world), effects.counts.get("open", 0), reached) == (done, done, [])


@pytest.mark.parametrize(("moment", "done"), [("before", 0), ("after", 1)])
async def test_a_life_ends_at_the_moment_of_an_effect_on_the_loop(moment, done):
    effects, reached, world = Effects(), [], []

    async def main():
        try:
            async with effects.doing_on_loop("open"):
                world.append("open")
        finally:
            reached.append("unwound")

    with mortality():
        life = Life()
        life.doomed = lambda met, _: met == moment
        life.begin(main())
        await life.ended.wait()
        await life.bury()

    assert (len(world), effects.counts.get("open", 0), reached) == (done, done, [])


@pytest.mark.realtime
async def test_a_thread_of_a_life_that_is_over_does_no_further_effect():
    effects, begun, go = Effects(), asyncio.Event(), threading.Event()
    caught = []

    def work(loop):
        loop.call_soon_threadsafe(begun.set)
        go.wait()
        try:
            with effects.doing("open"):
                raise AssertionError("it is over")
        except Ended as error:
            caught.append(str(error))

    with mortality():
        life = Life()
        task = life.begin(asyncio.to_thread(work, asyncio.get_running_loop()))
        await begun.wait()
        life.end()
        go.set()
        while not caught:  # noqa: ASYNC110  # a thread ends in its own time
            await asyncio.sleep(0.001)
        await life.bury()

    assert (caught, effects.counts, task.done()) == (["before open"], {}, True)
