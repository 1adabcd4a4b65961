"""The slower of two writers looks again, a few times."""

import asyncio
import random

import pytest

from windlass.controller.conflicts import CONFLICT_TRIES_MAX, retry_on_conflict
from windlass.informers.errors import Conflict, Forbidden

CONFLICT = Conflict(409, "Conflict", "older than what is there")


def attempts(*outcomes):
    """An attempt that ends as told, and how often it was made."""
    left = list(outcomes)

    async def attempt():
        outcome = left.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return attempt, left


async def test_conflicts_are_tried_again_after_a_moment_that_grows():
    attempt, _ = attempts(CONFLICT, CONFLICT, CONFLICT, "done")
    assert await retry_on_conflict(attempt, rng=random.Random(1)) == "done"
    assert 0.070 <= asyncio.get_running_loop().time() <= 0.077


async def test_after_a_few_tries_the_conflict_is_raised():
    attempt, left = attempts(*[CONFLICT] * 9)
    with pytest.raises(Conflict):
        await retry_on_conflict(attempt)
    assert 9 - len(left) == CONFLICT_TRIES_MAX == 5


async def test_other_errors_are_raised_at_once():
    attempt, left = attempts(Forbidden(403, "Forbidden", "not yours"), "never")
    with pytest.raises(Forbidden):
        await retry_on_conflict(attempt)
    assert left == ["never"]
