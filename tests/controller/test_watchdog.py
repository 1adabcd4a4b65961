"""A loop that does not turn is noticed while it does not. A real thread watches, so real time."""

import asyncio
import contextlib
import logging
import threading
import time

import pytest

from windlass.controller.watchdog import Culprit, Watchdog

pytestmark = pytest.mark.realtime

CULPRIT = Culprit("pods", "pods, reconciling ns/a (run-1)")


@contextlib.asynccontextmanager
async def watched(**arguments):
    watchdog = Watchdog(lambda loop: CULPRIT, threshold_seconds=0.1, **arguments)
    task = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0.02)
    try:
        yield watchdog
    finally:
        task.cancel()
        await asyncio.wait([task])


def hold_the_loop(seconds):
    time.sleep(seconds)


async def until(question):
    async with asyncio.timeout(5):
        while not question():  # noqa: ASYNC110 - a thread answers it
            await asyncio.sleep(0.01)


async def test_whoever_holds_the_loop_is_named_while_holding_it_and_counted_after(caplog):
    with caplog.at_level(logging.WARNING):
        async with watched() as watchdog:
            hold_the_loop(0.4)
            assert caplog.records  # said while it lasted: nothing of the loop has run since
            await until(lambda: watchdog.blockages)
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "the event loop has been blocked for 0.1 s by pods, reconciling ns/a (run-1), at "
    )
    assert record.getMessage().endswith("in hold_the_loop")
    (blockage,) = watchdog.blockages
    assert blockage.culprit == CULPRIT
    assert 0.1 <= blockage.seconds <= 0.6
    assert watchdog.counts == {"pods": 1}
    assert watchdog.seconds.count == 1
    assert repr(watchdog) == "<Watchdog blockages=1>"


async def test_a_loop_that_turns_is_left_alone(caplog):
    async with watched() as watchdog:
        for _ in range(20):
            hold_the_loop(0.005)
            await asyncio.sleep(0.005)
    assert (watchdog.counts, list(watchdog.blockages), caplog.records) == ({}, [], [])


async def test_each_blockage_is_counted_once_however_long():
    async with watched() as watchdog:
        for number in (1, 2):
            hold_the_loop(0.35)
            await until(lambda number=number: len(watchdog.blockages) == number)
    assert watchdog.counts == {"pods": 2}


async def test_the_watch_costs_one_thread_which_ends_with_it():
    before = threading.active_count()
    async with watched():
        assert threading.active_count() == before + 1
        await asyncio.sleep(0.3)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


async def test_the_end_is_not_delayed_by_a_watch_in_progress():
    async with watched():
        started = time.monotonic()
    assert time.monotonic() - started < 0.2
