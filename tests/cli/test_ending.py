"""The process ends when the program has, whatever threads of native libraries still do."""

import pytest
from programs import run

PROGRAM = """
import atexit, sys, threading
from windlass.cli.ending import leave_after

def program():
    threading.Thread(target=threading.Event().wait).start()  # nobody will ever end it
    atexit.register(print, "done at exit")
    print("said")
    sys.exit({code})

leave_after(program)
"""


@pytest.mark.realtime
@pytest.mark.parametrize(("code", "ends_with"), [("3", 3), ("None", 0), ("'why'", 1)])
async def test_it_says_what_it_has_to_and_waits_for_nobody(code, ends_with, tmp_path):
    ended = await run("-c", PROGRAM.format(code=code), cwd=tmp_path)

    assert (ended.code, ended.out) == (ends_with, "said\ndone at exit\n")


@pytest.mark.realtime
async def test_a_bug_of_ours_ends_in_its_traceback(tmp_path):
    ended = await run("-c", "from windlass.cli.ending import leave_after\nleave_after(lambda: 1 / 0)", cwd=tmp_path)

    assert ended.code == 1
    assert "ZeroDivisionError" in ended.err
