"""Ctrl-C while the program still imports what it needs."""

import signal

import pytest
from programs import run

# Presses Ctrl-C when the module is looked for, which is in the middle of another one's import.
PROGRAM = """
import os, signal, sys

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Impatient())
sys.argv = ["windlass", "run", "--help"]
from windlass.cli.start import main
main()
"""


@pytest.mark.realtime
@pytest.mark.parametrize("module", ["click", "windlass.cli.main", "windlass.cli.run", "windlass.controller.manager"])
async def test_it_ends_without_a_word(module, tmp_path):
    ended = await run("-c", PROGRAM.format(module=module), cwd=tmp_path)

    assert (ended.code, ended.out, ended.err) == (-signal.SIGINT, "", "")


COLLECTING = """
import atexit, gc, sys
atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 1000))
sys.argv = ["windlass", *{words!r}]
from windlass.cli.start import main
main()
"""


@pytest.mark.realtime
@pytest.mark.parametrize(("words", "told"), [(["diagram", "--help"], "True True"), (["--help"], "False False")])
async def test_garbage_is_looked_for_once_a_command_is_imported_and_not_in_its_modules(words, told, tmp_path):
    ended = await run("-c", COLLECTING.format(words=words), cwd=tmp_path)

    assert (ended.code, ended.out.splitlines()[-1]) == (0, told)
