import asyncio
import signal

import pytest
from programs import running

from windlass.cli.loop import until_either

HEAD = """
import asyncio, sys
from windlass.cli.loop import run_until_signalled
"""

ORDERLY = """
async def main():
    print("ready")
    try:
        await asyncio.sleep(60)
    finally:
        print("tidied up")
    return 7
sys.exit(run_until_signalled(main, stopped=3))
"""

HELD_UP = """
async def main():
    print("ready")
    try:
        await asyncio.sleep(60)
    finally:
        print("tidying up")
        await asyncio.sleep(60)
sys.exit(run_until_signalled(main))
"""

THREAD = """
import time
async def main():
    print("ready")
    await asyncio.to_thread(time.sleep, 60)
sys.exit(run_until_signalled(main))
"""

OWN_CODE = """
async def main():
    print("ready")
    return 7
sys.exit(run_until_signalled(main))
"""

FAILS_AT_THE_END = """
async def main():
    print("ready")
    try:
        await asyncio.sleep(60)
    finally:
        raise OSError("could not tidy up")
try:
    run_until_signalled(main)
except OSError as error:
    sys.exit(str(error))
"""


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_ends_it_in_order(number, tmp_path):
    async with running("-c", HEAD + ORDERLY, cwd=tmp_path) as program:
        await program.line("ready")
        program.process.send_signal(number)
        ended = await program.end(seconds=5)

    assert (ended.code, ended.out) == (3, "ready\ntidied up\n")
    assert ended.err == "stopping in order; a second Ctrl-C ends it at once\n"


@pytest.mark.realtime
@pytest.mark.parametrize(("code", "sign"), [(HELD_UP, "tidying up"), (THREAD, "stopping in order")])
async def test_the_second_signal_ends_it_at_once_whatever_it_waits_for(code, sign, tmp_path):
    async with running("-c", HEAD + code, cwd=tmp_path) as program:
        await program.line("ready")
        program.interrupt()
        await program.line(sign)
        program.interrupt()
        ended = await program.end(seconds=5)

    assert ended.code == 130


@pytest.mark.realtime
async def test_without_a_signal_the_coroutine_gives_the_code(tmp_path):
    async with running("-c", HEAD + OWN_CODE, cwd=tmp_path) as program:
        assert (await program.end()).code == 7


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_another_loop_is_ended_by_signals_as_well(number, tmp_path):
    called = "import uvloop\n" + ORDERLY.replace("stopped=3", "stopped=3, loop_factory=uvloop.new_event_loop")
    shown = called.replace('print("ready")', "print(type(asyncio.get_running_loop()))")
    async with running("-c", HEAD + shown, cwd=tmp_path) as program:
        await program.line("<class 'uvloop.Loop'>")
        program.process.send_signal(number)
        ended = await program.end(seconds=5)

    assert (ended.code, ended.out.splitlines()[-1]) == (3, "tidied up")


@pytest.mark.realtime
async def test_a_failure_while_stopping_is_not_hidden(tmp_path):
    async with running("-c", HEAD + FAILS_AT_THE_END, cwd=tmp_path) as program:
        await program.line("ready")
        program.interrupt()
        ended = await program.end(seconds=5)

    assert (ended.code, ended.err.splitlines()[-1]) == (1, "could not tidy up")


async def test_the_first_to_end_ends_the_wait_and_the_others():
    forever = asyncio.create_task(asyncio.Event().wait())
    await until_either(asyncio.sleep(3), forever)

    assert asyncio.get_running_loop().time() == 3
    assert forever.cancelled()


async def test_the_failure_of_the_first_to_end_is_raised():
    async def fail():
        await asyncio.sleep(1)
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await until_either(asyncio.Event().wait(), fail())


async def test_cancelling_the_wait_cancels_what_it_waits_for():
    forever = asyncio.create_task(asyncio.Event().wait())
    waiting = asyncio.create_task(until_either(forever))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert forever.cancelled()
