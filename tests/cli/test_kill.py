"""`kill -9` of `windlass up --data` at any moment, and the same command again: the job completes once.

Each round has a folder of its own, and is killed at a moment drawn from the whole life of an undisturbed run, from the
first instruction to a little after its end. The seed is printed; `WINDLASS_SEED` repeats it.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import attrs
import pytest

from windlass.envtest.apiserver import ApiServer
from windlass.informers import Api, Client, Cluster, Key
from windlass.informers.builtins import Event
from windlass.operators.training import TrainingJob

KILLS = 20
AT_ONCE = 2
TRANSITIONS = ("VerifyingData", "DataVerified", "TrainingStarted", "Trained", "Validated", "Succeeded")
SAMPLE = Key("default", "digits")

pytestmark = [pytest.mark.realtime(limit=900), pytest.mark.slow]


@attrs.frozen
class Ended:
    """What is on record when everything is over."""

    job: TrainingJob
    events: Counter[tuple[str, str]]
    versions: list[str]
    runs: list[str]


async def start_up(data: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "windlass.cli.main", "up", "--data", str(data), "--port", "0", "--no-progress", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def finish(data: Path) -> str:
    """Run the command to its end and return what it said."""
    process = await start_up(data, "--once")
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 120)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def kill_after(data: Path, seconds: float) -> None:
    process = await start_up(data)
    drained = asyncio.create_task(process.stdout.read())
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await drained  # ends when the trainer, which holds the other end of nothing of ours, is gone too


def newest_complete_checkpoint(data: Path) -> int:
    """The step of the newest checkpoint, 0 when there is none. A checkpoint folder appears whole, by renaming."""
    return max((int(path.name) for path in data.glob("runs/*/checkpoints/*") if path.name.isdecimal()), default=0)


def trained(data: Path) -> bool:
    return any(data.glob("runs/*/result.json"))


async def read_back(data: Path) -> Ended:
    async with ApiServer(data / "apiserver.db") as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        job = (await api.get(TrainingJob, SAMPLE)).as_(TrainingJob)
        events = [found.to_dict() for found in (await api.list(Event, namespace=SAMPLE.namespace)).items]
    about = [event for event in events if event["involvedObject"].get("uid") == job.metadata.uid]
    counted = Counter[tuple[str, str]]()
    for event in about:
        counted[event["reason"], event["message"] if event["reason"] == "TrainingResumed" else ""] += (
            event.get("count") or 1
        )
    versions = [path.name for path in data.glob("models/digits/*") if path.name.isdecimal()]
    return Ended(job, counted, versions, [path.name for path in data.glob("runs/*")])


async def one_round(number: int, data: Path, delay: float) -> str:
    await kill_after(data, delay)
    checkpoint, was_trained = newest_complete_checkpoint(data), trained(data)

    await finish(data)

    ended = await read_back(data)
    run = ended.job.status.run
    told = json.dumps(sorted(map(list, ended.events)))
    story = f"round {number}: killed after {delay:.2f} s at step {checkpoint}, {told}"
    assert ended.job.status.phase == "Succeeded", story
    assert ended.job.status.runs == 1, story
    assert len(ended.runs) == 1, story
    assert ended.versions == ["1"], story
    for transition in TRANSITIONS:
        assert ended.events[transition, ""] == 1, f"{transition}: {story}"
    assert set(ended.events.values()) == {1}, story
    assert not [reason for reason, _ in ended.events if reason not in {*TRANSITIONS, "TrainingResumed"}], story
    if checkpoint and not was_trained:
        assert run.resumed_from_step >= checkpoint, story
    return f"round {number}: killed after {delay:.2f} s, newest checkpoint {checkpoint}, attempts {run.attempt}"


async def test_a_job_completes_once_whenever_the_process_is_killed(tmp_path):
    seed = int(os.environ.get("WINDLASS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"WINDLASS_SEED={seed}")
    rng = random.Random(seed)
    began = time.monotonic()
    await finish(tmp_path / "undisturbed")
    life = time.monotonic() - began
    # Two rounds share the processors, so that each takes longer than the undisturbed run did.
    delays = [rng.uniform(0, 1.5 * life) for _ in range(KILLS)]
    turn = asyncio.Semaphore(AT_ONCE)

    async def limited(number: int, delay: float) -> str:
        async with turn:
            return await one_round(number, tmp_path / str(number), delay)

    stories = await asyncio.gather(*(limited(number, delay) for number, delay in enumerate(delays)))
    print("\n".join(stories))

    assert len(stories) == KILLS
