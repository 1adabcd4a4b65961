"""Parts start upwards, stop downwards, share one deadline, and none is left."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from windlass.controller.parts import Parts, Stage


class Log(list):
    """What happened, in order; and the failures that were reported."""

    def __init__(self):
        super().__init__()
        self.failures = []

    def failed(self, name, error):
        self.failures.append((name, error))

    def part(self, name, *, seconds_to_stop=0.0):
        async def run():
            self.append(f"{name} starts")
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await asyncio.sleep(seconds_to_stop)
                self.append(f"{name} stops")

        return run


@asynccontextmanager
async def opened(log):
    async with asyncio.TaskGroup() as group:
        parts = Parts(group, log.failed)
        yield parts
        await parts.cancel()


def now():
    return asyncio.get_running_loop().time()


async def test_the_highest_stage_stops_first_and_each_waits_for_those_above():
    """M1."""
    log = Log()
    async with opened(log) as parts:
        for stage in Stage:
            parts.start(stage, stage.name, log.part(stage.name, seconds_to_stop=1.0))
        await asyncio.sleep(0)
        log.clear()
        assert await parts.stop(30.0) == []
    assert log == ["CONTROLLER stops", "RUNNABLE stops", "CACHE stops", "LEASE stops", "RECORDER stops"]
    assert now() == pytest.approx(5.0)


async def test_parts_of_one_stage_stop_together():
    log = Log()
    async with opened(log) as parts:
        for name in "ab":
            parts.start(Stage.RUNNABLE, name, log.part(name, seconds_to_stop=5.0))
        await asyncio.sleep(0)
        await parts.stop(30.0)
    assert now() == pytest.approx(5.0)


async def test_a_part_with_a_stop_of_its_own_is_asked_and_not_cancelled():
    log, over = Log(), asyncio.Event()

    async def worker():
        await over.wait()
        await asyncio.sleep(3)
        log.append("finished its work")

    async with opened(log) as parts:
        parts.start(Stage.CONTROLLER, "worker", worker, stop=over.set)
        await asyncio.sleep(0)
        assert await parts.stop(30.0) == []
    assert log == ["finished its work"]


async def test_what_does_not_stop_in_time_is_cancelled_and_named_and_the_deadline_is_one_for_all():
    """M4, scenario 53."""
    log = Log()
    async with opened(log) as parts:
        parts.start(Stage.CONTROLLER, "stuck", log.part("stuck"), stop=lambda: None)
        parts.start(Stage.CACHE, "slow", log.part("slow", seconds_to_stop=2.0))
        await asyncio.sleep(0)
        assert await parts.stop(10.0) == ["stuck", "slow"]
    assert len(parts) == 0
    assert "stuck stops" in log


async def test_without_any_grace_everything_is_cancelled_at_once_and_nothing_is_unfinished():
    """M4."""
    log = Log()
    async with opened(log) as parts:
        parts.start(Stage.CONTROLLER, "worker", log.part("worker"), stop=lambda: None)
        await asyncio.sleep(0)
        assert await parts.stop(0.0) == []
        assert len(parts) == 0
    assert now() == 0.0


async def test_a_part_that_fails_is_reported_and_the_others_run_on():
    """M8: the orderly stop is up to whoever listens."""
    log = Log()

    async def broken():
        raise ConnectionError("gone")

    async with opened(log) as parts:
        parts.start(Stage.RUNNABLE, "steady", log.part("steady"))
        parts.start(Stage.RUNNABLE, "broken", broken)
        await asyncio.sleep(1)
        ((name, error),) = log.failures
        assert (name, str(error)) == ("broken", "gone")
        assert len(parts) == 1


async def test_an_only_exception_is_taken_out_of_its_groups():
    log = Log()

    async def nested():
        raise ExceptionGroup("a", [ExceptionGroup("b", [ConnectionError("inner")])])

    async def several():
        raise ExceptionGroup("both", [ValueError("x"), TypeError("y")])

    async with opened(log) as parts:
        parts.start(Stage.RUNNABLE, "nested", nested)
        parts.start(Stage.RUNNABLE, "several", several)
        await asyncio.sleep(1)
    assert [type(error) for _, error in log.failures] == [ConnectionError, ExceptionGroup]


async def test_being_cancelled_by_the_stop_is_no_failure_but_being_cancelled_from_within_is():
    """M5."""
    log = Log()

    async def inner():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with opened(log) as parts:
        parts.start(Stage.RUNNABLE, "steady", log.part("steady"))
        parts.start(Stage.RUNNABLE, "odd", inner)
        await asyncio.sleep(1)
        await parts.stop(1.0)
    assert [(name, str(error)) for name, error in log.failures] == [("odd", "odd was cancelled from within")]


async def test_a_part_that_is_stopped_before_it_began_leaves_nothing_behind():
    log = Log()
    async with opened(log) as parts:
        parts.start(Stage.RUNNABLE, "never", log.part("never"))
        assert await parts.stop(1.0) == []
    assert log == []


async def test_a_part_that_ends_early_is_no_failure_and_is_forgotten():
    log = Log()
    async with opened(log) as parts:
        parts.start(Stage.RUNNABLE, "once", lambda: asyncio.sleep(1))
        await asyncio.sleep(2)
        assert len(parts) == 0
    assert log.failures == []
