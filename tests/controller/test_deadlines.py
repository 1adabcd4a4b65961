"""C9: a run has so many seconds. The measure of all is asyncio's own timeout, which sets a timer for each."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from windlass.controller.deadlines import Deadlines
from windlass.envtest.virtualtime import run_virtual
from windlass.informers.keys import Key

A, B = Key("ns", "a"), Key("ns", "b")
SECONDS = 10.0


def begin(deadlines, key):
    return deadlines.begin(key, asyncio.current_task(), now=asyncio.get_running_loop().time())


async def stubborn(seconds):
    """Work that does not end when it is asked to."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(seconds)
        return
    await asyncio.sleep(seconds)


async def failing(seconds):
    try:
        await asyncio.sleep(seconds)
    finally:
        raise KeyError("its own")


RUNS = st.tuples(
    st.integers(0, 30),  # when it begins
    st.sampled_from([0, 1, 9, 10, 11, 25]),
    st.sampled_from([asyncio.sleep, stubborn, failing]),
    st.none() | st.integers(1, 40),  # when somebody else cancels it
)


async def ends(runs, entered):
    """What each run ended with, and when."""

    async def run(number, start, seconds, work):
        await asyncio.sleep(start)
        limit = entered(number)
        try:
            if isinstance(limit, asyncio.Timeout):
                async with limit:
                    await work(seconds)
            else:
                with limit:
                    await work(seconds)
        except BaseException as error:
            ended = type(error)
        else:
            ended = None
        return ended, asyncio.get_running_loop().time(), asyncio.current_task().cancelling()

    tasks = [asyncio.create_task(run(number, *one[:3])) for number, one in enumerate(runs)]
    for task, (start, _, _, cancelled) in zip(tasks, runs, strict=True):
        if cancelled is not None:
            # Half a second off, for what comes first at the very same moment is nobody's promise.
            asyncio.get_running_loop().call_later(start + cancelled + 0.5, task.cancel)
    return await asyncio.gather(*tasks)


@given(st.lists(RUNS, max_size=6))
@example([(0, 25, stubborn, None), (1, 25, asyncio.sleep, None)])
def test_runs_end_as_if_each_had_a_timer_of_its_own(runs):
    deadlines = Deadlines(SECONDS)
    one_timer = run_virtual(ends(runs, lambda number: begin(deadlines, Key("", str(number)))))
    assert one_timer == run_virtual(ends(runs, lambda _: asyncio.timeout(SECONDS)))


async def test_however_many_runs_there_are_one_timer_is_armed():
    deadlines, loop = Deadlines(SECONDS), asyncio.get_running_loop()
    before = len(loop._scheduled)
    for number in range(100):
        with begin(deadlines, Key("", str(number))):
            pass
    assert len(loop._scheduled) == before + 1
    deadlines.close()


async def test_a_withdrawn_run_ends_at_once_and_says_so():
    deadlines = Deadlines(SECONDS)
    deadline = begin(deadlines, A)
    asyncio.get_running_loop().call_later(1, deadlines.withdraw, B)
    asyncio.get_running_loop().call_later(2, deadlines.withdraw, A)
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), deadline:
        await asyncio.sleep(5)
    assert (deadline.expired, deadline.withdrawn) == (True, True)
    assert asyncio.get_running_loop().time() == started + 2


async def test_a_run_past_its_deadline_is_not_withdrawn_any_more():
    deadlines = Deadlines(SECONDS)
    deadline = begin(deadlines, A)
    asyncio.get_running_loop().call_later(SECONDS + 1, deadlines.withdraw, A)
    with deadline:
        await stubborn(SECONDS + 5)
    assert (deadline.expired, deadline.withdrawn) == (True, False)
