"""The work queue's waiting half: who sleeps is woken, and nobody takes a key away with him."""

import asyncio
import random

import pytest

from windlass.controller.errors import QueueShutDown
from windlass.controller.queue import LOW, WorkQueue


async def settle():
    """Let every task that can run do so; with the virtual clock a sleep of nothing is enough, a few times over."""
    for _ in range(5):
        await asyncio.sleep(0)


def now():
    return asyncio.get_running_loop().time()


async def test_get_waits_for_an_add():
    queue = WorkQueue[str]("q")
    getter = asyncio.create_task(queue.get())
    await settle()
    assert not getter.done()
    queue.add("k", reason="added")
    item = await getter
    assert (item.key, item.reason) == ("k", "added")


async def test_each_of_several_waiting_getters_gets_a_key_of_its_own():
    queue = WorkQueue[int]("q")
    getters = [asyncio.create_task(queue.get()) for _ in range(5)]
    await settle()
    for key in range(5):
        queue.add(key)
    assert sorted(item.key for item in await asyncio.gather(*getters)) == [0, 1, 2, 3, 4]


async def test_a_delayed_key_is_handed_out_when_its_time_has_come():
    queue = WorkQueue[str]("q")
    queue.add_after("k", 3600.0)
    assert (await queue.get()).key == "k"
    assert now() == 3600.0


async def test_an_earlier_deadline_asked_for_later_wakes_the_sleeper_earlier():
    """Scenario 8, A3."""
    queue = WorkQueue[str]("q")
    queue.add_after("late", 100.0)
    getter = asyncio.create_task(queue.get())
    await settle()
    queue.add_after("early", 1.0)
    assert (await getter).key == "early"
    assert now() == 1.0
    assert (await queue.get()).key == "late"
    assert now() == 100.0


async def test_a_thousand_timers_arm_one_wake_up():
    """A3."""
    queue = WorkQueue[int]("q")
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled)
    for key in range(1000):
        queue.add_after(key, 1000.0 - key)
    live = [handle for handle in loop._scheduled if not handle.cancelled()]
    assert len(live) == before + 1
    for key in reversed(range(1000)):
        assert (await queue.get()).key == key


async def test_retry_returns_the_wait_and_the_key_comes_after_it():
    queue = WorkQueue[str]("q")
    assert queue.retry("k") == pytest.approx(0.005)
    assert (await queue.get()).attempt == 1
    assert now() == pytest.approx(0.005)
    queue.retry("k")
    queue.done("k")
    assert queue.failures("k") == 2
    queue.forget("k")
    assert queue.failures("k") == 0


async def test_cancelling_a_getter_that_waits_takes_nothing():
    """A2."""
    queue = WorkQueue[str]("q")
    getter = asyncio.create_task(queue.get())
    await settle()
    getter.cancel()
    await settle()
    queue.add("k")
    assert (await queue.get()).key == "k"


async def test_cancelling_a_getter_that_has_just_been_woken_passes_the_key_on():
    """A2: the wake-up had been sent to the one that is cancelled; the other must hear of it."""
    queue = WorkQueue[str]("q")
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await settle()
    queue.add("k")
    first.cancel()
    assert (await second).key == "k"
    assert first.cancelled()


async def test_cancellations_at_random_moments_lose_no_key():
    """A2, as a storm: every key that is added is handed to a getter that lives."""
    rng = random.Random(20260801)
    queue = WorkQueue[int]("q")
    got: list[int] = []

    async def get_one():
        item = await queue.get()
        got.append(item.key)
        queue.done(item.key)

    waiting: set[asyncio.Task] = set()
    for key in range(500):
        for _ in range(rng.randint(0, 3)):
            waiting.add(asyncio.create_task(get_one()))
        if rng.random() < 0.5:
            await asyncio.sleep(0)
        queue.add(key)
        for task in rng.sample(sorted(waiting, key=id), k=min(len(waiting), rng.randint(0, 2))):
            task.cancel()
        if rng.random() < 0.3:
            await settle()
        waiting = {task for task in waiting if not task.done()}
    await settle()
    for task in waiting:
        task.cancel()
    await settle()
    while (item := queue.get_nowait()) is not None:
        got.append(item.key)
        queue.done(item.key)
    assert sorted(got) == list(range(500))


async def test_workers_that_all_requeue_at_once_do_not_deadlock():
    """Q21, scenario 43: nothing between workers and queue is bounded; fifty times the workers is as good as any."""
    queue = WorkQueue[int]("q")
    runs = dict.fromkeys(range(400), 0)

    async def work():
        while True:
            item = await queue.get()
            runs[item.key] += 1
            queue.add_after(item.key, 0.0)
            queue.done(item.key)
            await asyncio.sleep(0)

    for key in runs:
        queue.add(key)
    workers = [asyncio.create_task(work()) for _ in range(8)]
    while sum(runs.values()) < 4000:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0)
    for worker in workers:
        worker.cancel()
    assert max(runs.values()) - min(runs.values()) <= 1  # and all are served alike


async def test_after_a_plain_shutdown_adds_are_dropped_and_get_ends_at_once():
    """Q5, C20: like controller-runtime; what was queued is found again by the next start's list."""
    queue = WorkQueue[str]("q")
    queue.add("queued")
    queue.shut_down()
    queue.add("late")
    queue.add_after("later", 1.0)
    assert queue.retry("latest") == 0.0
    with pytest.raises(QueueShutDown, match="'q' has been shut down"):
        await queue.get()
    assert len(queue) == 0


async def test_a_shutdown_releases_everyone_who_waits():
    """Scenario 13."""
    queue = WorkQueue[str]("q")
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await settle()
    queue.shut_down()
    results = await asyncio.gather(*getters, return_exceptions=True)
    assert [type(result) for result in results] == [QueueShutDown] * 3


async def test_a_draining_queue_hands_out_what_is_queued_and_drops_adds_and_timers():
    """Q5."""
    queue = WorkQueue[str]("q")
    queue.add("queued")
    queue.add_after("later", 10.0)
    queue.shut_down(drain=True)
    queue.add("late")
    assert (await queue.get()).key == "queued"
    with pytest.raises(QueueShutDown):
        await queue.get()


async def test_join_waits_for_running_keys_and_for_those_made_dirty_meanwhile():
    """Q6, scenario 5."""
    queue = WorkQueue[str]("q")
    queue.add("k")
    await queue.get()
    queue.add("k")
    queue.shut_down(drain=True)
    joiner = asyncio.create_task(queue.join())
    await settle()
    assert not joiner.done()
    queue.done("k")
    await settle()
    assert not joiner.done()
    assert (await queue.get()).key == "k"
    queue.done("k")
    await joiner


async def test_a_plain_shutdown_ends_the_wait_for_a_drain():
    """Q6."""
    queue = WorkQueue[str]("q")
    queue.add("k")
    await queue.get()
    queue.shut_down(drain=True)
    joiner = asyncio.create_task(queue.join())
    await settle()
    queue.shut_down()
    await joiner
    queue.done("k")


async def test_a_getter_that_waits_during_a_drain_is_released_at_its_end():
    queue = WorkQueue[str]("q")
    queue.add("k")
    await queue.get()
    queue.shut_down(drain=True)
    getter = asyncio.create_task(queue.get())
    await settle()
    queue.done("k")
    with pytest.raises(QueueShutDown):
        await getter


async def test_a_shutdown_leaves_no_wake_up_behind():
    queue = WorkQueue[str]("q")
    queue.add_after("k", 5.0)
    queue.shut_down()
    assert [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()] == [
        handle for handle in asyncio.get_running_loop()._scheduled if handle.when() > 1000.0
    ]


async def test_its_representation_tells_what_it_holds():
    queue = WorkQueue[str]("q")
    queue.add("low", priority=LOW)
    queue.add("running")
    await queue.get()
    queue.add_after("timer", 5.0)
    queue.retry("failed")
    assert repr(queue) == "<WorkQueue q ready=1 waiting=2 running=1>"
    queue.shut_down()
    assert repr(queue) == "<WorkQueue q ready=0 waiting=0 running=1 shut down>"
