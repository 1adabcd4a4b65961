"""Batches made ahead in a thread: bounded, in order, and nothing left behind."""

import asyncio
import contextlib
import threading
from pathlib import Path

import pytest

from windlass.serving.data import BadRow, Column, Reader, Reading, Schema, prefetched

pytestmark = pytest.mark.realtime


def threads():
    return [one for one in threading.enumerate() if one.name.startswith("windlass-prefetch")]


async def settled(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (a thread causes it)
            await asyncio.sleep(0.005)


class Source:
    """Counts what it has made, and whether it was closed."""

    def __init__(self, count, fault=None):
        self.made, self.closed, self.count, self.fault = 0, False, count, fault

    def batches(self):
        try:
            for number in range(self.count):
                if number == self.fault:
                    raise BadRow("a.csv", row=1, offset=0, why="broken")
                self.made += 1
                yield number
        finally:
            self.closed = True


async def test_everything_comes_in_its_order():
    source = Source(50)
    async with contextlib.aclosing(prefetched(source.batches())) as batches:
        assert [batch async for batch in batches] == list(range(50))
    assert source.closed
    assert threads() == []


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_slow_consumer_stops_the_reading(depth):
    """P5: what waits is bounded."""
    source = Source(50)
    async with contextlib.aclosing(prefetched(source.batches(), depth=depth)) as batches:
        assert await anext(batches) == 0
        await settled(lambda: source.made >= depth)
        await asyncio.sleep(0.05)
        assert source.made <= depth + 1


async def test_what_goes_wrong_is_raised_once_and_in_its_place():
    """P5."""
    async with contextlib.aclosing(prefetched(Source(50, fault=3).batches())) as batches:
        assert [await anext(batches) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(BadRow, match=r"a.csv row 1"):
            await anext(batches)
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
    assert threads() == []


async def test_an_error_of_the_consumer_leaves_nothing_behind():
    """P5."""
    source = Source(50)

    async def consume():
        async with contextlib.aclosing(prefetched(source.batches())) as batches:
            async for _ in batches:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await consume()
    assert (source.closed, threads()) == (True, [])


@pytest.mark.parametrize("after", [0, 1])
async def test_a_cancelled_consumer_leaves_no_thread_and_no_open_file(tmp_path, after):
    """P5: also while a batch is being made."""
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "1\n" * 5000)
    reader = Reader([path], Schema((Column("x"),)), reading=Reading(batch_rows=10, block_bytes=100))
    gate = threading.Event()

    def gated():
        for index, batch in enumerate(reader.batches()):
            if index == after:
                gate.set()
            yield batch

    async def consume():
        async with contextlib.aclosing(prefetched(gated())) as batches:
            async for _ in batches:
                await asyncio.sleep(3600)

    task = asyncio.create_task(consume())
    await settled(gate.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert threads() == []
    opened = [link.resolve() for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert path not in opened
