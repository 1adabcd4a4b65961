"""Asked until the answer is true."""

import asyncio

import pytest

from windlass.envtest.kit.waiting import eventually
from windlass.informers.errors import NotFound


async def test_the_first_true_answer_is_returned_at_once():
    answers = iter([0, None, "", "yes", "later"])
    assert await eventually(lambda: next(answers)) == "yes"
    assert next(answers) == "later"


async def test_a_question_may_be_a_coroutine_and_an_absent_object_is_asked_for_again():
    tries = []

    async def get():
        tries.append(1)
        if len(tries) < 3:
            raise NotFound(404, "NotFound", "not yet")
        return "found"

    assert await eventually(get) == "found"
    assert len(tries) == 3


async def test_the_last_answer_is_told_when_the_time_is_over():
    began = asyncio.get_running_loop().time()
    with pytest.raises(AssertionError, match=r"not true after 5 s; the last answer: \[\]"):
        await eventually(list, seconds=5)
    assert 5 <= asyncio.get_running_loop().time() - began < 5.1

    def absent():
        raise NotFound(404, "NotFound", "not yet")

    with pytest.raises(AssertionError, match="not yet"):
        await eventually(absent, seconds=1)


async def test_any_other_error_is_the_answer():
    def broken():
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await eventually(broken)
