import asyncio
import itertools

import pytest

from windlass.envtest.apiserver.decisions import REQUEST_SECONDS, Call, Endpoint, Enquiry, Reply, ask, asker, recall
from windlass.envtest.apiserver.errors import ApiError


def call(text="{}", turn=0):
    return Call(Endpoint("https://x/"), text.encode(), 1.0, turn)


def answering(asked):
    async def perform(question):
        asked.append(question)
        await asyncio.sleep(1)
        return Reply("u", question.review.decode())

    return perform


async def test_a_decision_is_taken_again_once_its_answers_are_there():
    asked, runs = [], []

    def decide():
        runs.append(len(asked))
        return [reply.document for reply in (*ask([call("a")]), *ask([call("b")]))]

    assert await Enquiry(answering(asked)).decided(decide) == ["a", "b"]
    assert runs == [0, 1, 2]
    assert asked == [call("a"), call("b")]


async def test_what_is_asked_together_is_asked_at_the_same_time():
    asked, loop = [], asyncio.get_running_loop()
    begun = loop.time()
    replies = await Enquiry(answering(asked)).decided(lambda: ask([call("a"), call("b"), call("a")]))
    assert [reply.document for reply in replies] == ["a", "b", "a"]
    assert len(asked) == 2
    assert loop.time() - begun == 1


async def test_what_is_asked_twice_on_purpose_is_asked_twice():
    asked = []
    await Enquiry(answering(asked)).decided(lambda: (ask([call(turn=0)]), ask([call(turn=1)])))
    assert len(asked) == 2


async def test_a_question_about_a_changed_state_is_a_new_one():
    asked, states = [], ["old"]

    async def perform(question):
        asked.append(question.review)
        states[0] = "new"
        return Reply("u", question.review.decode())

    assert (await Enquiry(perform).decided(lambda: ask([call(states[0])])[0])).document == "new"
    assert asked == [b"old", b"new"]


async def test_what_was_made_once_stays_the_same_while_a_decision_is_taken():
    counter = itertools.count()
    enquiry = Enquiry(answering([]))

    def decide():
        number = recall("number", lambda: next(counter))
        ask([call()])
        return number

    assert [await enquiry.decided(decide), await enquiry.decided(decide)] == [0, 1]


async def test_outside_of_a_decision_nobody_is_asked_and_nothing_is_remembered():
    counter = itertools.count()
    assert [recall("number", lambda: next(counter)) for _ in range(2)] == [0, 1]
    assert asker() is None
    with pytest.raises(ApiError, match="cannot be asked"):
        ask([call()])


async def test_errors_of_a_decision_are_raised_as_they_are():
    def decide():
        ask([call()])
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await Enquiry(answering([])).decided(decide)


async def test_nobody_who_catches_errors_takes_a_question_for_one():
    def decide():
        try:
            return ask([call()])
        except Exception:
            return None

    assert await Enquiry(answering([])).decided(decide) == [Reply("u", "{}")]


async def test_a_decision_that_asks_for_ever_is_given_up():
    counter, loop = itertools.count(), asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(ApiError) as caught:
        await Enquiry(answering([])).decided(lambda: ask([call(str(next(counter)))]))
    assert (caught.value.code, caught.value.reason) == (504, "Timeout")
    assert loop.time() - begun == REQUEST_SECONDS


async def test_a_decision_that_needs_no_answer_is_taken_at_once():
    enquiry, done = Enquiry(answering([])), []
    assert enquiry.tried(lambda: done.append(asker())) is True
    assert done == [enquiry]
    assert enquiry.tried(lambda: ask([call()])) is False


async def test_decisions_do_not_share_answers():
    asked = []
    enquiry = Enquiry(answering(asked))
    await asyncio.gather(*(enquiry.decided(lambda: ask([call()])) for _ in range(3)))
    assert len(asked) == 3
