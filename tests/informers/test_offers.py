"""One question for all feeds of a client, which nobody's end can leave unanswered: R25."""

import asyncio

import pytest
from scripted_cluster import encode, refusal, settle

from windlass.informers.client import Response
from windlass.informers.errors import ConnectionFailed
from windlass.informers.offers import learn_streaming

NEW, OLD = {"major": "1", "minor": "34+"}, {"major": "1", "minor": "26"}


class Client:
    """Answers each question with the next of `answers`, after a second."""

    def __init__(self, *answers):
        self.streaming_lists = None
        self.asked = 0
        self._answers = list(answers)

    async def send(self, request, *, retries):
        assert (request.path, retries) == ("/version", 0)
        self.asked += 1
        await asyncio.sleep(1)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Response(200, {}, answer if isinstance(answer, bytes) else encode(answer))


@pytest.mark.parametrize(("release", "offered"), [(NEW, True), (OLD, False)])
async def test_many_that_begin_together_ask_once_and_those_that_come_later_do_not(release, offered):
    client = Client(release)

    await asyncio.gather(*(learn_streaming(client) for _ in range(20)))
    await learn_streaming(client)

    assert (client.streaming_lists, client.asked) == (offered, 1)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ConnectionFailed("refused", sent=False), id="no answer"),
        pytest.param(refusal(403, "Forbidden"), id="forbidden"),
        pytest.param(b"<html>", id="no JSON"),
        pytest.param(b'{"major":"\xff","minor":"1"}', id="no text"),
        pytest.param({"major": "one", "minor": ""}, id="no release"),
    ],
)
async def test_a_server_that_does_not_say_is_asked_again_only_by_who_comes_later(answer):
    client = Client(answer, NEW)

    await asyncio.gather(*(learn_streaming(client) for _ in range(20)))
    assert (client.streaming_lists, client.asked) == (None, 1)

    await learn_streaming(client)
    assert (client.streaming_lists, client.asked) == (True, 2)


async def test_nobody_waits_longer_than_five_seconds():
    client = Client(NEW)
    client.send = lambda *_, **__: asyncio.sleep(60)
    began = asyncio.get_running_loop().time()

    await asyncio.gather(*(learn_streaming(client) for _ in range(3)))

    assert asyncio.get_running_loop().time() - began == pytest.approx(5.0)


async def test_when_the_one_who_asks_is_cut_short_another_asks():
    client = Client(NEW, NEW)
    first = asyncio.create_task(learn_streaming(client))
    others = [asyncio.create_task(learn_streaming(client)) for _ in range(3)]
    await settle()

    first.cancel()
    await asyncio.wait(others)

    assert first.cancelled()
    assert (client.streaming_lists, client.asked) == (True, 2)


async def test_who_only_waits_can_leave():
    client = Client(NEW)
    first, second = (asyncio.create_task(learn_streaming(client)) for _ in range(2))
    await settle()

    second.cancel()
    await first

    assert second.cancelled()
    assert (client.streaming_lists, client.asked) == (True, 1)
