"""Many small trainings at once, and whether any was lost, trained twice or published twice."""

import asyncio
import time
from collections import Counter

import attrs
import msgspec

from windlass.informers.api import Api
from windlass.operators.training import TrainingJob
from windlass.serving.repository.scan import scan

__all__ = ("Lag", "Outcome", "create_all", "outcome_of", "small_job", "until_ended")

ENDED = ("Succeeded", "Failed", "Cancelled")


@attrs.frozen
class Outcome:
    """`lost` are the jobs that did not succeed, with what they came to; `twice` those of more than one run."""

    jobs: int
    lost: tuple[str, ...]
    twice: tuple[str, ...]
    versions: tuple[int, ...]


def small_job(number, table, *, models=1, **spec):
    """A job of two epochs; `models` is how many models the jobs share."""
    made = {
        "data": {"uri": table.as_uri()},
        "executor": "softmax",
        "hyperparameters": {"epochs": 2},
        "seed": number,
        "output": {"model": f"model-{number % models}"},
    }
    head = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob"}
    return {**head, "metadata": {"name": f"job-{number:03d}"}, "spec": {**made, **spec}}


async def create_all(api: Api, bodies, *, namespace, writers=8):
    """Create them all, as fast as the server takes them."""
    left = list(reversed(bodies))

    async def write():
        while left:
            await api.create(TrainingJob, left.pop(), namespace=namespace)

    async with asyncio.TaskGroup() as group:
        for _ in range(writers):
            group.create_task(write())


async def until_ended(manager, namespace, *, jobs, seconds, shown=None):
    """Wait until so many have ended. Raises TimeoutError, saying where the others are."""
    deadline = time.monotonic() + seconds
    while True:
        # Not whole: this is done in the loop that is being measured.
        phases = Counter(_phase(one.status) for one in manager.cache.list(TrainingJob, namespace=namespace))
        ended = sum(phases[phase] for phase in ENDED)
        if ended >= jobs:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{ended} of {jobs} have ended in {seconds} s: {dict(phases)}")
        if shown is not None:
            shown(phases)
        await asyncio.sleep(0.2)


class _Seen(msgspec.Struct):
    phase: str = "Pending"


_SEEN = msgspec.json.Decoder(_Seen)


def _phase(status):
    return _SEEN.decode(status).phase if status else "Pending"


async def outcome_of(api: Api, namespace, models):
    """What they came to."""
    found = [one.as_(TrainingJob) for one in (await api.list(TrainingJob, namespace=namespace)).items]
    lost = tuple(
        f"{one.metadata.name}: {one.status.phase} {one.status.conditions and one.status.conditions[-1].message}"
        for one in found
        if one.status.phase != "Succeeded"
    )
    twice = tuple(one.metadata.name for one in found if one.status.runs != 1)
    versions = tuple(len(versions) for _, versions in sorted(scan(models).items()))
    return Outcome(len(found), lost, twice, versions)


@attrs.define
class Lag:
    """How long the loop did not turn: by the clock, and by the processor's time that its thread took meanwhile.

    The second is what callbacks computed; a loop that waits for a turn on a busy machine has only the first.
    """

    wall_ms: float = 0.0
    busy_ms: float = 0.0

    async def watch(self, *, every=0.005):
        """Until cancelled."""
        wall, busy = time.monotonic(), time.thread_time()
        while True:
            await asyncio.sleep(every)
            now, used = time.monotonic(), time.thread_time()
            self.wall_ms = max(self.wall_ms, (now - wall - every) * 1000)
            self.busy_ms = max(self.busy_ms, (used - busy) * 1000)
            wall, busy = now, used
