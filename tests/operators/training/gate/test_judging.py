"""A run's gate is carried out once, away from whoever asks, and its verdict waits until it is fetched."""

import asyncio
import contextlib

import pytest

from windlass.informers.keys import Key
from windlass.operators.errors import CheckError, DataError
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.judging import Deliberating, Judging
from windlass.operators.training.gate.types import GateStatus

KEY = Key("default", "digits")
OPEN = GateStatus("a" * 64, passed=True, reason="Passed", message="all")


class Gate:
    """A gate that takes a second, and then says what it was told to say."""

    def __init__(self, says=OPEN):
        self.says, self.calls, self.at_once, self.most = says, 0, 0, 0

    async def __call__(self):
        self.calls += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(1)
        finally:
            self.at_once -= 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@contextlib.asynccontextmanager
async def court():
    woken = []
    judging = Judging(woken.append)
    task = asyncio.create_task(judging.run())
    try:
        yield judging, woken
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_whoever_asks_is_told_to_wait_and_woken_when_there_is_a_verdict():
    gate = Gate()
    async with court() as (judging, woken):
        for _ in range(3):
            assert await judging.judge(KEY, "r", gate) == Deliberating()
            await asyncio.sleep(0.1)
        assert woken == []
        await asyncio.sleep(1)

        assert woken == [KEY]
        assert [await judging.judge(KEY, "r", gate) for _ in range(2)] == [OPEN, OPEN]
        assert gate.calls == 1


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (DataError("no answer", reason="TableUnreachable"), Fault("TableUnreachable", "no answer", retryable=True)),
        (CheckError("it does not load", reason="ModelUnusable"), Fault("ModelUnusable", "it does not load")),
        (OSError("disk full"), Fault("EvidenceUnwritable", "the evidence cannot be kept: disk full", retryable=True)),
        (KeyError("x"), Fault("GateBroken", "KeyError: 'x'")),
    ],
    ids=["may recover", "for good", "the disk", "a mistake of ours"],
)
async def test_what_goes_wrong_is_a_fault_once_and_then_begun_anew(error, fault):
    async with court() as (judging, woken):
        gate = Gate(error)
        await judging.judge(KEY, "r", gate)
        await asyncio.sleep(2)

        assert await judging.judge(KEY, "r", gate) == fault
        gate.says = OPEN
        assert await judging.judge(KEY, "r", gate) == Deliberating()
        await asyncio.sleep(2)
        assert await judging.judge(KEY, "r", gate) == OPEN
        assert woken == [KEY, KEY]


async def test_what_is_forgotten_ends_and_wakes_nobody():
    gate = Gate()
    async with court() as (judging, woken):
        await judging.judge(KEY, "r", gate)
        await asyncio.sleep(0.5)
        judging.forget("r")
        judging.forget("r")
        await asyncio.sleep(0)
        assert gate.at_once == 0

        assert await judging.judge(KEY, "r", gate) == Deliberating()
        await asyncio.sleep(2)
        assert await judging.judge(KEY, "r", gate) == OPEN
        assert (gate.calls, woken) == (2, [KEY])


async def test_two_are_carried_out_at_once_and_no_more():
    gate = Gate()
    async with court() as (judging, woken):
        for run in range(7):
            await judging.judge(KEY, f"r{run}", gate)
        await asyncio.sleep(10)

        assert gate.most == 2
        assert len(woken) == 7


async def test_the_end_of_the_program_ends_all_of_them():
    gate = Gate()
    async with court() as (judging, _):
        await judging.judge(KEY, "r", gate)
        await asyncio.sleep(0.5)

    assert gate.at_once == 0
