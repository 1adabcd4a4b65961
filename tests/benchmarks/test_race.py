"""A race ends with an answer of each contender, or with one error that says whose fault it was."""

import sys
from contextlib import nullcontext

import attrs
import pytest

from windlass.benchmarks.errors import ContenderFailed, ReplayFailed
from windlass.benchmarks.race import Contender, Course, race

WAITS = "import sys, time; print('ready', flush=True); time.sleep(600)"


DEAF = """
import json
print("ready", flush=True)
print(json.dumps({"wall_s": 1.0, "cpu_s": 1.0, "latencies_ms": [3.0]}))
"""


@attrs.frozen
class QuietGround:
    kubeconfig = "none"

    async def load(self):
        return {}


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


@pytest.mark.realtime
async def test_a_contender_that_did_not_see_all_updates_has_no_figures():
    deaf = Contender("deaf", (sys.executable, "-c", DEAF))

    with pytest.raises(ContenderFailed, match="deaf gave no answer: expected 2 latencies, found 1"):
        await race([deaf], Course("latency", objects=2, updates=2), lambda: nullcontext(QuietGround()), rounds=1)
