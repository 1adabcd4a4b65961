"""A race ends with an answer of each contender, or with one error that says whose fault it was."""

import sys
from contextlib import nullcontext

import attrs
import pytest

from windlass.benchmarks.errors import ReplayFailed
from windlass.benchmarks.race import Contender, Course, race

WAITS = "import sys, time; print('ready', flush=True); time.sleep(600)"


@attrs.frozen
class BrokenGround:
    kubeconfig = "none"

    async def load(self):
        raise ReplayFailed("it has lost its tape")


@pytest.mark.realtime
async def test_a_contender_that_waits_for_a_load_that_failed_is_ended_and_the_load_says_why():
    waiting = Contender("waiting", (sys.executable, "-c", WAITS))

    with pytest.raises(ReplayFailed, match="lost its tape"):
        await race([waiting], Course("replay", objects=1, updates=1), lambda: nullcontext(BrokenGround()), rounds=1)
