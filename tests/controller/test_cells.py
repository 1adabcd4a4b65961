"""Tasks and threads wait for a cell's next snapshot, from whichever thread it comes."""

import asyncio
import contextlib

import pytest

from windlass.controller.cells import follow, replaced, wait_replaced
from windlass.statemachine.cell import Cell


async def test_a_task_sleeps_until_the_snapshot_it_has_seen_is_replaced():
    cell = Cell("a")
    waiting = asyncio.create_task(replaced(cell, cell.get()))
    await asyncio.sleep(5)
    assert not waiting.done()

    cell.compare_and_set(cell.get(), "b")

    assert (await waiting).value == "b"


async def test_a_task_that_comes_late_does_not_wait_and_gets_the_newest():
    cell = Cell(0)
    first = cell.get()
    for _ in range(3):
        cell.update(lambda value: value + 1)

    assert (await replaced(cell, first)).value == 3


async def test_a_cancelled_wait_leaves_no_waiter_behind():
    cell = Cell("a")
    waiting = asyncio.create_task(replaced(cell, cell.get()))
    await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting

    assert cell.get()._waiters == {}


async def test_a_follower_sees_the_present_and_then_the_newest_each_time():
    cell, seen = Cell(0), []

    async def read():
        async for snapshot in follow(cell):
            seen.append(snapshot.value)
            if snapshot.value == 5:
                return

    reading = asyncio.create_task(read())
    await asyncio.sleep(1)
    cell.update(lambda value: value + 1)
    await asyncio.sleep(1)
    for _ in range(4):  # without a pause: the ones between are left out
        cell.update(lambda value: value + 1)
    await reading

    assert seen == [0, 1, 5]


@pytest.mark.realtime
async def test_tasks_and_threads_see_what_threads_write_and_none_stays_asleep():
    cell = Cell(0)
    last = 400

    def write():
        for _ in range(100):
            cell.update(lambda value: value + 1)

    def watch():
        seen = cell.get()
        while seen.value != last:
            following = wait_replaced(cell, seen, timeout=50)
            assert following is not None
            assert following.version > seen.version
            seen = following

    async def watch_here():
        async for snapshot in follow(cell):
            if snapshot.value == last:
                return

    watchers = [asyncio.create_task(asyncio.to_thread(watch)) for _ in range(3)]
    watchers += [asyncio.create_task(watch_here()) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(write) for _ in range(4)), *watchers)

    assert cell.get().version == last


def test_a_thread_waits_no_longer_than_it_was_told():
    cell = Cell("a")

    assert wait_replaced(cell, cell.get(), timeout=0) is None
    assert cell.get()._waiters == {}


def test_a_loop_that_is_gone_does_not_hurt_the_writer():
    cell, loop = Cell("a"), asyncio.new_event_loop()
    waiting = loop.create_task(replaced(cell, cell.get()))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    assert cell.compare_and_set(cell.get(), "b") is not None
    waiting._log_destroy_pending = False
