"""A race puts each contender through a scenario, in a process of its own, turn by turn, and tells the medians.

A contender is any program that speaks the protocol: it is called with the words of `shared/task.py`, and its last line
on stdout is one JSON object with `wall_s` and `cpu_s` (from the start of the work to its end, all threads),
`startup_cpu_s`, `rss_peak_mb`, `growth_mb` and `growth_forced_mb` (see `shared/meter.py`), and for `latency` also
`latencies_ms`, one number for each update, after a line `ready`. Any other number in it is told, too. `replay` is
`latency` to a contender: the same words.
"""

import asyncio
import json
import os
import secrets
import shlex
import statistics
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import attrs

from windlass.benchmarks.errors import ContenderFailed
from windlass.benchmarks.ground import Ground
from windlass.benchmarks.shared import task

__all__ = ("BUILT_IN", "SCENARIOS", "Contender", "Course", "race")

SCENARIOS: Final = (*task.SCENARIOS, "replay")

_OURS: Final = ("-m", "windlass.benchmarks.contenders.ours")
_LAST_WORDS: Final = 1000
_FIGURES: Final = ("wall_s", "cpu_s", "startup_cpu_s", "rss_peak_mb", "growth_mb")
_MODES: Final = ("typed", "uvloop", "full", "trimmed", "metadata", "list")
_BY_COPY: Final = ("sync", "relist")
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "windlass-typed": ("reconcile", "noop", "latency", "replay"),
    "windlass-full": _BY_COPY,
    "windlass-trimmed": _BY_COPY,
    "windlass-metadata": ("sync",),
    "windlass-list": _BY_COPY,
    "floor": tuple(scenario for scenario in SCENARIOS if scenario != "startup"),
}
BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "windlass": (sys.executable, *_OURS),
    **{f"windlass-{mode}": (sys.executable, *_OURS, f"--mode={mode}") for mode in _MODES},
    "floor": (sys.executable, "-m", "windlass.benchmarks.contenders.floor"),
}


@attrs.frozen
class Contender:
    """A name, and the command that the words of the task are added to."""

    name: str
    command: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Contender":
        """`NAME` for one that comes with Windlass, or `NAME=COMMAND`. Raises ValueError for neither."""
        name, equals, command = text.partition("=")
        if equals and name and command.strip():
            return cls(name, tuple(shlex.split(command)))
        if text in BUILT_IN:
            return cls(text, BUILT_IN[text])
        raise ValueError(f"expected {', '.join(BUILT_IN)} or NAME=COMMAND, found {text!r}")

    def runs(self, scenario: str) -> bool:
        """Whether the scenario makes a difference to it; a program that was given is trusted to know."""
        if self.command != BUILT_IN.get(self.name):
            return True
        return scenario in _ONLY.get(self.name, SCENARIOS)


@attrs.frozen
class Course:
    """What all contenders of a race do. `rate` is in updates a second, of which there are `updates`."""

    scenario: str
    objects: int
    workers: int = 16
    rate: float = 300.0
    updates: int = 0
    timeout_seconds: float = 900.0


async def race(
    contenders: Sequence[Contender],
    course: Course,
    ground: Callable[[], AbstractAsyncContextManager[Ground]],
    *,
    rounds: int,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """One row for each contender, in their order: the median of each figure. Raises BenchmarkError.

    `ground` is entered anew for each contender in each round.
    """
    answers: dict[str, list[dict[str, Any]]] = {one.name: [] for one in contenders}
    for number in range(1, rounds + 1):
        for one in contenders:
            progress(f"round {number} of {rounds}: {one.name}")
            async with ground() as place:
                answers[one.name].append(await _run(one, course, place))
    return [_row(course, name, found) for name, found in answers.items()]


async def _run(contender: Contender, course: Course, ground: Ground) -> dict[str, Any]:
    scenario = "latency" if course.scenario == "replay" else course.scenario
    words = [scenario, "--kubeconfig", str(ground.kubeconfig), "--objects", str(course.objects)]
    words += ["--value", secrets.token_hex(4), "--workers", str(course.workers), "--updates", str(course.updates)]
    process = await asyncio.create_subprocess_exec(
        *contender.command,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
        env=_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    load: asyncio.Task[Mapping[str, float]] | None = None
    last = b""
    figures: Mapping[str, float] = {}
    try:
        async with asyncio.timeout(course.timeout_seconds):
            async for line in process.stdout:
                if line.strip() == b"ready" and load is None:
                    load = asyncio.create_task(ground.load())
                    load.add_done_callback(lambda ended: _give_up_without(ended, process))
                elif line.startswith(b"{"):
                    last = line
            code = await process.wait()
            if load is not None:
                figures = await load
    except TimeoutError as error:
        raise ContenderFailed(contender.name, f"it was not done after {course.timeout_seconds:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if load is not None:
            load.cancel()
        said = (await errors).decode("utf-8", "replace").strip()[-_LAST_WORDS:]
    if code or not last:
        raise ContenderFailed(contender.name, said or f"exit code {code}, and no answer")
    answer: dict[str, Any] = json.loads(last)
    seen = len(answer.get("latencies_ms", ()))
    if seen != course.updates:
        raise ContenderFailed(contender.name, f"expected {course.updates} latencies, found {seen}")
    return {**answer, **figures}


def _give_up_without(load: "asyncio.Task[Mapping[str, float]]", process: Process) -> None:
    # Nothing will come any more for which the contender could wait; the load's own error is told.
    if not load.cancelled() and load.exception() is not None and process.returncode is None:
        process.kill()


def _environment() -> dict[str, str]:
    # Contenders of other packages find the meter by its bare name.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_here(), os.environ.get("PYTHONPATH"))))}


def _here() -> str:
    return str(Path(__file__).resolve().parent / "shared")


def _row(course: Course, name: str, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"scenario": course.scenario, "contender": name, "objects": course.objects}
    own = [one for one, value in answers[0].items() if one not in _FIGURES and isinstance(value, int | float)]
    figures = [*_FIGURES, *own]
    row |= {figure: round(statistics.median(answer[figure] for answer in answers), 6) for figure in figures}
    if course.scenario == "sync":
        row["settled_bytes"] = round(row["growth_mb"] * 1e6 / course.objects)
        if "peak_growth_mb" in row:
            row["peak_bytes"] = round(row["peak_growth_mb"] * 1e6 / course.objects)
    if course.scenario == "queue":
        row["operations_a_second"] = round(row["operations"] / row["cpu_s"])
    if course.scenario in ("reconcile", "noop"):
        row["runs_a_second"] = round(course.objects / row["wall_s"])
    if course.updates:
        row["rate"] = course.rate
        row["cpu_ms_a_thousand"] = round(row["cpu_s"] / course.updates * 1e6, 2)
        for label, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999)):
            row[label] = round(statistics.median(_quantile(answer["latencies_ms"], share) for answer in answers), 2)
    return row | {"rounds": len(answers)}


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
