"""All contenders side by side on one real API server, and the page that says how it went.

    python tests/benchmarks/bench_contenders.py --write [--scenario sync] [--contender windlass]

`make bench` installs what it needs: a control plane (.ci/kubernetes), the program on client-go (.ci/clientgo), and an
environment for each library (.venv/contender-NAME). What is measured is in programme.py. `--write` puts each scenario's
rows, as soon as they are there, in place of their older ones in docs/reference/benchmarks.jsonl, and writes the page
and its pictures beside it; rows of others stay. `--library-rounds` is for the Python libraries, some of which need
minutes for a round; 0 leaves them out, as `--rounds 0` leaves out the others. A contender that fails is told and has no
row, and the exit code is 1.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import attrs
import figures
import programme
from bars import judged
from programme import ENTRIES, LIBRARIES, Entry
from rich.console import Console

from windlass.benchmarks.errors import BenchmarkError
from windlass.benchmarks.ground import Grounds, Site
from windlass.benchmarks.race import Contender, Course, race
from windlass.manifests import crd
from windlass.operators.training.types import TrainingJob

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "contenders"
PROGRAMS = {name: f"{name}_client.py" for name in LIBRARIES} | {"kopf": "kopf_operator.py"}
MACHINE = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


@attrs.frozen
class Heat:
    """Those of an entry who race together."""

    entry: Entry
    objects: int
    rounds: int
    names: tuple[str, ...]

    @property
    def ground(self) -> tuple[str, int, str]:
        """Heats with the same one share their widgets: the server, how many, and what is on it."""
        kind = self.entry.scenario if self.entry.scenario in ("replay", "startup", "queue", "serving") else "widgets"
        if self.entry.scenario == "reconcile" and "kopf" in self.names:
            kind = "widgets that grow"  # by kopf's notes, so that they are not those of the others any more
        return self.entry.server, self.objects, kind


@attrs.frozen
class Wanted:
    """What the command line asks for."""

    objects: int
    rounds: int
    library_rounds: int
    contenders: tuple[str, ...]

    def heats(self, entry: Entry) -> Iterator[Heat]:
        """A library races alone, so that its failure is nobody else's."""
        objects = self.objects if entry.objects is None else entry.objects
        asked = [one for one in entry.contenders if not self.contenders or one in self.contenders]
        if self.rounds and (together := tuple(one for one in asked if one not in LIBRARIES)):
            yield Heat(entry, objects, self.rounds, together)
        if self.library_rounds:
            yield from (Heat(entry, objects, self.library_rounds, (one,)) for one in asked if one in LIBRARIES)


def main() -> None:
    options = arguments()
    wanted = Wanted(options.objects, options.rounds, options.library_rounds, tuple(options.contender or ()))
    entries = [one for one in ENTRIES if one.name in (options.scenario or programme.NAMES)]
    heats = [heat for entry in entries for heat in wanted.heats(entry)]
    rows, failures = asyncio.run(measured(heats, write=options.write))
    for verdict in judged(rows):
        print(verdict)
    for failure in failures:
        print(f"FAILED  {failure}")
    sys.exit(1 if failures else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000, help="where a scenario does not say how many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--library-rounds", type=int, default=3)
    parser.add_argument("--scenario", action="append", choices=programme.NAMES, help="may be repeated; default: all")
    everyone = sorted({name for entry in ENTRIES for name in entry.contenders})
    parser.add_argument("--contender", action="append", choices=everyone, help="may be repeated; default: all")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


async def measured(heats: Iterable[Heat], *, write: bool) -> tuple[list[dict], list[str]]:
    """All rows, and what went wrong."""
    rows: list[dict] = []
    failures: list[str] = []
    grounds: dict[tuple, list[Heat]] = {}
    for heat in heats:
        grounds.setdefault(heat.ground, []).append(heat)
    for (server, objects, kind), together in grounds.items():
        with tempfile.TemporaryDirectory() as folder:
            async with cluster(server, Path(folder)) as kubeconfig:
                with Console(stderr=True).status("preparing") as status:
                    async with opened(kind, Site(kubeconfig, objects, progress=status.update)) as ground:
                        for heat in together:
                            found = await raced(heat, ground, failures)
                            rows += found
                            if write and found:
                                figures.write(found)
    return rows, failures


@asynccontextmanager
async def opened(kind: str, site: Site) -> AsyncIterator[partial[Grounds]]:
    """What makes the ground of an entry out of its rate and its number of updates."""
    match kind:
        case "replay":
            with tempfile.TemporaryDirectory() as folder:
                recording = Path(folder, "recording")  # one for all rates
                async with site.recorded(recording):
                    yield lambda course: attrs.evolve(site, rate=course.rate).recorded(recording)
        case "startup":
            async with site.defining(TrainingJob, crd(TrainingJob)) as grounds:
                yield lambda _: nullcontext(grounds)
        case "queue" | "serving":
            async with site.untouched() as grounds:
                yield lambda _: nullcontext(grounds)
        case _:
            async with site.prepared() as grounds, grounds() as place:
                yield lambda course: nullcontext(
                    lambda: nullcontext(attrs.evolve(place, updates=course.updates, rate=course.rate))
                )


async def raced(heat: Heat, ground, failures: list[str]) -> list[dict]:
    entry, objects = heat.entry, heat.objects
    updates = {"latency": min(objects, round(entry.rate * entry.seconds)), "replay": objects}.get(entry.scenario, 0)
    course = Course(entry.scenario, objects=objects, rate=entry.rate, updates=updates)
    began = datetime.now(UTC)
    try:
        found = await raced_again(course, [contender(name) for name in heat.names], ground, heat.rounds)
    except BenchmarkError as error:
        failures.append(f"{entry.name}: {error}")
        print(failures[-1], file=sys.stderr, flush=True)
        return []
    rows = [{**row, "scenario": entry.name, "date": f"{began:%Y-%m-%d}", "machine": MACHINE} for row in found]
    for row in rows:
        print(json.dumps(row), flush=True)
    took = (datetime.now(UTC) - began).total_seconds()
    print(f"{entry.name}, {', '.join(heat.names)}: {took:.0f} s", file=sys.stderr, flush=True)
    return rows


async def raced_again(course: Course, contenders: list[Contender], ground, rounds: int) -> list[dict]:
    """A server may hang up on the floor, which then gives up: once that is bad luck."""
    try:
        async with ground(course) as grounds:
            return await race(contenders, course, grounds, rounds=rounds)
    except BenchmarkError as error:
        print(f"{course.scenario}: {error}; once more", file=sys.stderr, flush=True)
    async with ground(course) as grounds:
        return await race(contenders, course, grounds, rounds=rounds)


@asynccontextmanager
async def cluster(server: str, folder: Path) -> AsyncIterator[Path]:
    """A fresh one, gone at the end."""
    kubeconfig = folder / "kubeconfig"
    words = ["-m", "windlass.cli.main", "envtest", "start", f"--server={server}", f"--kubeconfig={kubeconfig}"]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    try:
        await process.stdout.readline()  # it says where it is once it is ready
        yield kubeconfig
    finally:
        process.terminate()
        await process.communicate()


def contender(name: str) -> Contender:
    """The command behind a name of the programme; what it needs is installed."""
    if name in programme.GO:
        program = subprocess.run([REPOSITORY / ".ci" / "clientgo"], check=True, stdout=subprocess.PIPE, text=True)
        return Contender(name, (program.stdout.splitlines()[-1], "--mode", name.removeprefix("client-go ")))
    if name in LIBRARIES:
        return Contender(name, (str(environment(name)), str(FOLDER / PROGRAMS[name])))
    return Contender.parse(name)


def environment(name: str) -> Path:
    """The Python that has the library."""
    python = REPOSITORY / ".venv" / f"contender-{name}" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", *quiet, "--requirement", FOLDER / f"{name}.txt"], check=True)
    return python


if __name__ == "__main__":
    main()
