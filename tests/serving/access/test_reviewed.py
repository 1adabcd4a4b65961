"""In virtual time: how long is kept what, and how many questions become one."""

import asyncio

import pytest

from windlass.serving import NotReady, Overloaded
from windlass.serving.access import Known, Reviewed
from windlass.serving.access.reviewed import Remembered

ANN = Known("ann")


class Server:
    """Answers after a second; knows every token that begins with `good`."""

    def __init__(self):
        self.asked = []
        self.seconds = 1.0
        self.error = None

    async def caller(self, token):
        return Known(token) if await self._answer(token) and token.startswith("good") else None

    async def permits(self, caller, *, verb, path):
        return await self._answer((caller.name, verb, path)) and verb == "get"

    async def _answer(self, what):
        self.asked.append(what)
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return True


async def test_an_answer_is_kept_for_its_time_whether_good_or_bad():
    server = Server()
    reviewed = Reviewed(server, keep_seconds=10.0)
    for _ in range(3):
        assert await reviewed.caller("good") == Known("good")
        assert await reviewed.caller("bad") is None
        assert await reviewed.permits(ANN, verb="get", path="/v2")
        assert not await reviewed.permits(ANN, verb="post", path="/v2")
    assert len(server.asked) == 4
    await asyncio.sleep(10)
    await reviewed.caller("good")
    assert server.asked[4:] == ["good"]


async def test_many_who_wait_for_one_answer_are_one_question_and_the_first_may_leave():
    server = Server()
    reviewed = Reviewed(server)
    asking = [asyncio.create_task(reviewed.caller("good")) for _ in range(50)]
    await asyncio.sleep(0.5)
    asking[0].cancel()
    assert set(await asyncio.gather(*asking[1:])) == {Known("good")}
    assert server.asked == ["good"]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept():
    server = Server()
    server.error = OSError("away")
    reviewed = Reviewed(server)
    found = await asyncio.gather(*(reviewed.caller("good") for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in found] == ["away"] * 3
    server.error = None
    assert await reviewed.caller("good") == Known("good")


async def test_a_server_that_does_not_answer_is_not_waited_for():
    server = Server()
    server.seconds = 3600.0
    reviewed = Reviewed(server, timeout_seconds=5.0)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(NotReady, match="within 5 s"):
        await reviewed.caller("good")
    assert asyncio.get_running_loop().time() - begun == pytest.approx(5.0)


async def test_a_flood_of_invented_tokens_is_bounded_in_questions_and_in_memory():
    server = Server()
    table = Remembered(keep_seconds=10.0, timeout_seconds=5.0, entries_max=10, asking_max=4)
    flood = [
        asyncio.create_task(table.get(number, lambda number=number: server.caller(f"bad{number}")))
        for number in range(100)
    ]
    found = await asyncio.gather(*flood, return_exceptions=True)
    assert (found[:4], len(server.asked)) == ([None] * 4, 4)
    assert all(isinstance(one, Overloaded) for one in found[4:])
    for number in range(100, 130):
        await table.get(number, lambda number=number: server.caller(f"bad{number}"))
    assert len(table) == 10


async def test_the_longest_unused_answer_is_forgotten_first():
    server = Server()
    table = Remembered(keep_seconds=1000.0, timeout_seconds=5.0, entries_max=2)

    async def ask(name):
        await table.get(name, lambda: server.caller(name))

    for name in ("a", "b", "a", "c", "a", "b"):
        await ask(name)
    assert server.asked == ["a", "b", "c", "b"]


async def test_closing_gives_up_what_is_asked_and_leaves_no_task():
    server = Server()
    reviewed = Reviewed(server)
    asking = asyncio.create_task(reviewed.caller("good"))
    await asyncio.sleep(0.5)
    await reviewed.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asyncio.all_tasks() == {asyncio.current_task()}
