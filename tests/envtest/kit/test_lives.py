"""What is ended like a killed process runs no further, and leaves nothing that the loop trips over."""

import asyncio
import contextlib
import gc
import logging

import pytest

from windlass.envtest.kit.lives import Life, mortality


class Program:
    """Notes what of it has run."""

    def __init__(self):
        self.ran = []
        self.gate = asyncio.Event()

    async def main(self, end=None):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.child())
            group.create_task(self.reader())
            try:
                await asyncio.sleep(0)
                self.ran.append("main")
                if end is not None:
                    end()
                await self.gate.wait()
                self.ran.append("main went on")
            finally:
                self.ran.append("main cleaned up")

    async def child(self):
        try:
            await self.gate.wait()
            self.ran.append("child went on")
        finally:
            self.ran.append("child cleaned up")

    async def numbers(self):
        try:
            while True:
                yield 1
                await self.gate.wait()
                await asyncio.sleep(1)
        finally:
            self.ran.append("generator cleaned up")

    async def reader(self):
        async with contextlib.aclosing(self.numbers()) as numbers:
            async for _ in numbers:
                self.ran.append("read")


async def test_a_life_that_is_not_ended_is_an_ordinary_task():
    with mortality():
        program, life = Program(), Life()
        task = life.begin(program.main())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {"main cleaned up", "child cleaned up", "generator cleaned up"} <= set(program.ran)


async def test_nothing_of_an_ended_life_takes_another_step():
    with mortality():
        program, life = Program(), Life()
        life.begin(program.main())
        await asyncio.sleep(0.1)
        before = list(program.ran)
        life.end()
        program.gate.set()
        await asyncio.sleep(1)
        await life.bury()
    gc.collect()
    assert sorted(before) == ["main", "read"]
    assert program.ran == before


async def test_a_life_can_be_ended_from_within():
    with mortality():
        program, life = Program(), Life()
        life.begin(program.main(end=life.end))
        await life.ended.wait()
        program.gate.set()
        await asyncio.sleep(1)
        await life.bury()
    assert set(program.ran) <= {"main", "read"}


async def test_whoever_waits_for_a_killed_task_inside_its_life_is_not_told():
    told = []

    async def parent():
        task = asyncio.create_task(asyncio.sleep(10))
        task.add_done_callback(lambda _: told.append("callback"))
        with contextlib.suppress(asyncio.CancelledError):
            await task
        told.append("parent")

    with mortality():
        life = Life()
        life.begin(parent())
        await asyncio.sleep(0.1)
        life.end()
        await life.bury()
        await asyncio.sleep(20)
    assert told == []


async def test_tasks_that_wait_for_one_another_in_any_way_are_all_cleared_away():
    async def sleeper():
        await asyncio.get_running_loop().create_future()

    async def waiting(how):
        await how([asyncio.create_task(sleeper()) for _ in range(2)])

    ways = [
        asyncio.wait,
        lambda tasks: asyncio.gather(*tasks),
        lambda tasks: asyncio.shield(tasks[0]),
        lambda tasks: asyncio.wait_for(tasks[0], 100),
    ]
    others = asyncio.all_tasks()
    with mortality():
        life = Life()
        tasks = [life.begin(waiting(way)) for way in ways]
        await asyncio.sleep(0.1)
        life.end()
        await life.bury()
    assert all(task.cancelled() for task in tasks)
    assert asyncio.all_tasks() == others


async def test_other_tasks_of_the_loop_live_on():
    with mortality():
        mine, theirs, life = Program(), Program(), Life()
        other = asyncio.create_task(mine.main())
        life.begin(theirs.main())
        await asyncio.sleep(0.1)
        life.end()
        mine.gate.set()
        await asyncio.sleep(0.1)
        other.cancel()
        await asyncio.wait([other])
        await life.bury()
    assert "main cleaned up" in mine.ran
    assert "main cleaned up" not in theirs.ran


async def test_the_loops_own_factory_of_tasks_is_used_and_comes_back():
    made = []

    def factory(loop, coroutine, **options):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    with mortality():
        life = Life()
        await life.begin(asyncio.sleep(0))
    assert loop.get_task_factory() is factory
    assert len(made) == 1


@pytest.mark.parametrize("buried", [True, False])
def test_a_loop_closes_over_an_ended_life_without_a_word(buried, caplog):
    async def main():
        with mortality():
            program, life = Program(), Life()
            life.begin(program.main())
            await asyncio.sleep(0.01)
            life.end()
            if buried:
                await life.bury()
            return program

    with caplog.at_level(logging.DEBUG):
        program = asyncio.run(main())
    gc.collect()
    assert sorted(program.ran) == ["main", "read"]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
