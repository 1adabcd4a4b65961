"""Others run between slices, and none is longer than it may be: A4."""

import asyncio

from windlass.informers import slices
from windlass.informers.slices import Slices, in_slices


async def test_a_slice_is_over_when_its_time_has_come_and_another_begins():
    work = Slices()
    assert not work.over()

    await asyncio.sleep(slices.SLICE_SECONDS)
    assert work.over()

    await work.rest()
    assert not work.over()


async def test_all_is_done_in_order_and_others_run_in_between(monkeypatch):
    monkeypatch.setattr(slices, "SLICE_SECONDS", -1.0)
    done, turns = [], []

    def work():
        for number in range(5):
            done.append(number)
            yield

    async def other():
        while len(done) < 5:
            turns.append(len(done))
            await asyncio.sleep(0)

    await asyncio.gather(in_slices(work()), other())

    assert done == [0, 1, 2, 3, 4]
    assert turns == [1, 2, 3, 4]
