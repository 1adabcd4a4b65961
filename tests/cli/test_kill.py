"""`kill -9` of `windlass up --data` at any moment, and the same command again: the job completes once.

Each round has a folder of its own, and is killed at a moment drawn from the whole life of an undisturbed run, from the
first instruction to a little after the last line. The seed is printed; `WINDLASS_SEED` repeats it.
"""

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import attrs
import pytest
from seeds import announced_seed

from windlass.envtest.apiserver import ApiServer
from windlass.informers import Api, Client, Cluster, Key
from windlass.informers.builtins import Event
from windlass.operators.training import TrainingJob

KILLS = 20
AT_ONCE = 2
TRANSITIONS = (
    "VerifyingData",
    "DataVerified",
    "TrainingStarted",
    "Trained",
    "Validated",
    "Published",
    "Promoting",
    "Succeeded",
)
SAMPLE = Key("default", "digits")

pytestmark = [pytest.mark.realtime(limit=900), pytest.mark.slow]


@attrs.frozen
class Moment:
    """When to kill. Counting lines spreads the moments over the whole job, however fast the machine is just now."""

    lines: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s after line {self.lines}"


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


async def kill_at(data: Path, moment: Moment) -> None:
    """Start the command, and kill it when it has said so many lines and some time more has passed."""
    process = await start_up(data)
    try:
        for _ in range(moment.lines):
            if b"try it" in await process.stdout.readline():
                break  # it has said all that it will say
        drained = asyncio.create_task(process.stdout.read())
        await asyncio.sleep(moment.seconds)
    finally:
        process.send_signal(signal.SIGKILL)
    await process.wait()
    await drained


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


async def one_round(number: int, data: Path, moment: Moment) -> str:
    await kill_at(data, moment)
    checkpoint, was_trained = newest_complete_checkpoint(data), trained(data)

    await finish(data)

    ended = await read_back(data)
    run = ended.job.status.run
    told = json.dumps(sorted(map(list, ended.events)))
    story = f"round {number}: killed {moment} at step {checkpoint}, {told}"
    assert ended.job.status.phase == "Succeeded", story
    assert ended.job.status.runs == 1, story
    assert len(ended.runs) == 1, story
    assert sorted(ended.versions) == ["1", "2"], f"what served before, and what was trained: {story}"
    for transition in TRANSITIONS:
        assert ended.events[transition, ""] == 1, f"{transition}: {story}"
    assert set(ended.events.values()) == {1}, story
    assert not [reason for reason, _ in ended.events if reason not in {*TRANSITIONS, "TrainingResumed"}], story
    if checkpoint and not was_trained:
        assert run.resumed_from_step >= checkpoint, story
    return f"round {number}: killed {moment}, newest checkpoint {checkpoint}, attempts {run.attempt}"


async def test_a_job_completes_once_whenever_the_process_is_killed(tmp_path):
    rng = random.Random(announced_seed())
    lines = len((await finish(tmp_path / "undisturbed")).splitlines())
    moments = [Moment(rng.randint(0, lines + 1), rng.uniform(0, 0.5)) for _ in range(KILLS)]
    turn = asyncio.Semaphore(AT_ONCE)

    async def limited(number: int, moment: Moment) -> str:
        async with turn:
            return await one_round(number, tmp_path / str(number), moment)

    stories = await asyncio.gather(*(limited(number, moment) for number, moment in enumerate(moments)))
    print("\n".join(stories))

    assert len(stories) == KILLS
