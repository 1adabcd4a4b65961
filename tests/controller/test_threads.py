"""Functions in other threads are waited for, whatever happens to those who wait. Real threads, so real time."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from windlass.controller.threads import run_in_thread

pytestmark = pytest.mark.realtime


async def test_the_result_and_the_error_come_back():
    def fail():
        raise ValueError("no")

    with ThreadPoolExecutor(1) as executor:
        assert await run_in_thread(lambda: 7, executor) == 7
        with pytest.raises(ValueError, match="no"):
            await run_in_thread(fail, executor)


async def test_a_cancelled_caller_waits_until_the_function_has_ended():
    ended = threading.Event()
    asked = threading.Event()

    def work():
        asked.wait(5)
        time.sleep(0.05)
        ended.set()
        raise ValueError("nobody hears this")

    with ThreadPoolExecutor(1) as executor:
        task = asyncio.create_task(run_in_thread(work, executor, on_cancel=asked.set))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()


async def test_a_function_that_has_not_begun_never_does():
    release, begun = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as executor:
        first = asyncio.create_task(run_in_thread(lambda: release.wait(5), executor))
        second = asyncio.create_task(run_in_thread(begun.set, executor))
        await asyncio.sleep(0.02)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        await first
    assert not begun.is_set()


async def test_a_second_cancellation_leaves_the_function_behind():
    release = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        task = asyncio.create_task(run_in_thread(lambda: release.wait(5), executor))
        for _ in range(2):
            await asyncio.sleep(0.02)
            assert not task.done()
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not release.is_set()
        release.set()
