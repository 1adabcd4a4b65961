"""Jobs in threads that nobody has to wait for."""

import asyncio
import threading

import pytest

from windlass.serving.repository.threads import in_thread

pytestmark = pytest.mark.realtime


async def test_what_it_returns_and_what_it_raises():
    assert await in_thread(lambda: 3, name="three") == 3
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, name="raises")


async def test_what_would_end_the_process_ends_the_job():
    def leave():
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        await in_thread(leave, name="leaves")


async def test_what_comes_too_late_is_discarded():
    gate, discarded = threading.Event(), asyncio.Queue()
    task = asyncio.create_task(in_thread(lambda: gate.wait(10), name="late", discard=discarded.put_nowait))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    gate.set()
    assert await discarded.get() is True


async def test_a_job_that_never_ends_does_not_outlive_the_process():
    gate = threading.Event()
    task = asyncio.create_task(in_thread(gate.wait, name="hangs"))
    await asyncio.sleep(0)
    (thread,) = [one for one in threading.enumerate() if one.name == "windlass-hangs"]
    assert thread.daemon
    task.cancel()
    gate.set()
