"""`windlass bench`: what Windlass costs beside a floor and any other contender, on the cluster that is given."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import attrs
import click
from rich.console import Console
from rich.table import Table

from windlass.benchmarks.ground import Grounds, Site
from windlass.benchmarks.race import BUILT_IN, SCENARIOS, Contender, Course, race
from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FILE, usable_kubeconfig
from windlass.manifests import crd
from windlass.operators.training.types import TrainingJob

__all__ = ("command",)

_FIGURES: Final = (
    *(
        "wall_s",
        "cpu_s",
        "rss_peak_mb",
        "growth_mb",
        "growth_forced_mb",
        "runs_a_second",
        "p50_ms",
        "p99_ms",
        "p999_ms",
    ),
    *("peak_bytes", "settled_bytes", "operations_a_second", "connections", "idle_cpu_ms_a_second"),
    *("longest_stall_ms", "longest_held_ms", "import_cpu_s", "requests_a_second"),
)
_BOTH: Final = (Contender.parse("windlass"), Contender.parse("floor"))
_RATES: Final = {"latency": 300.0, "replay": 1000.0}


class _ContenderType(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in newer releases
    name = "contender"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Contender:
        try:
            return value if isinstance(value, Contender) else Contender.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@attrs.frozen
class _Wanted:
    contenders: tuple[Contender, ...]
    rounds: int
    as_json: bool
    recording: Path | None


@click.command()
@click.argument("scenario", type=click.Choice(SCENARIOS))
@click.option("--objects", type=click.IntRange(1), default=10_000, show_default=True, help="Widgets of 1.5 KB.")
@click.option("--kubeconfig", type=FILE, help="Default: $KUBECONFIG, ~/.kube/config, the pod's account.")
@click.option(
    "--contender", "contenders", multiple=True, type=_ContenderType(), metavar="NAME[=COMMAND]",
    show_default="windlass, and floor where it runs",
    help=f"{', '.join(BUILT_IN)}, or a program that speaks their protocol; may be repeated.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="The medians are told.")
@click.option("--workers", type=click.IntRange(1), default=16, show_default=True, help="Of each contender.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), show_default="300 for latency, 1000 for replay",
              help="Updates a second, for latency and replay.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=20.0, show_default=True,
              help="How long the updates last, for latency.")  # fmt: skip
@click.option("--recording", type=FILE, help="For replay: the file of the recording. It is made if it is not there.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each contender.")
def command(
    scenario: str,
    objects: int,
    *,
    kubeconfig: Path | None,
    contenders: tuple[Contender, ...],
    rounds: int,
    workers: int,
    rate: float | None,
    seconds: float,
    recording: Path | None,
    as_json: bool,
) -> int:
    """Measure SCENARIO on a cluster: CPU of the whole process, memory, and time.

    sync: list and hold all widgets. reconcile: list, watch, and patch the status of each once. noop: look at each once
    in a cache that is full. latency: from an update's sending to the reconciler that sees it. replay: the same at rates
    that no API server writes; a server that replays what the cluster said sends one change of each widget. informers:
    hold them in 200 copies of a selection each. relist: lose the watch and list again. queue: keys through the work
    queue, without a cluster. startup: `windlass run` until it is ready, and what it takes while idle, without widgets.
    serving: so many predictions by the endpoint, over 32 connections, without a cluster.

    The widgets live in a namespace of their own and are gone at the end. Nobody else should use the cluster meanwhile.
    """
    if recording is not None and scenario != "replay":
        raise click.UsageError(f"--recording is for replay, found {scenario}")
    rate = rate or _RATES.get(scenario, 0.0)
    updates = {"latency": round(rate * seconds), "replay": objects}.get(scenario, 0)
    if updates > objects:
        raise click.UsageError(
            f"--rate and --seconds: {updates} updates need as many widgets, one each, and --objects says {objects}"
        )
    if len({one.name for one in contenders}) < len(contenders):
        raise click.UsageError("--contender: expected different names")
    contenders = contenders or tuple(one for one in _BOTH if one.runs(scenario))
    for one in contenders:
        if not one.runs(scenario):
            raise click.UsageError(f"--contender: {one.name} makes no difference to {scenario}")
    if scenario == "startup":
        objects = 0
    course = Course(scenario, objects=objects, workers=workers, rate=rate, updates=updates)
    with usable_kubeconfig():
        return run_until_signalled(lambda: _race(course, _Wanted(contenders, rounds, as_json, recording), kubeconfig))


async def _race(course: Course, wanted: _Wanted, kubeconfig: Path | None) -> int:
    console = Console(stderr=True)
    with console.status("preparing") as status:
        site = Site(kubeconfig, course.objects, course.updates, course.rate, progress=status.update)
        async with _opened(site, course.scenario, wanted.recording) as ground:
            rows = await race(wanted.contenders, course, ground, rounds=wanted.rounds, progress=status.update)
    if wanted.as_json:
        for row in rows:
            click.echo(json.dumps(row))
    else:
        Console().print(_table(rows))
    return 0


def _opened(site: Site, scenario: str, recording: Path | None) -> AbstractAsyncContextManager[Grounds]:
    match scenario:
        case "replay":
            return site.recorded(recording)
        case "startup":
            return site.defining(TrainingJob, crd(TrainingJob))
        case "queue" | "serving":
            return site.untouched()
        case _:
            return site.prepared()


def _table(rows: list[dict[str, Any]]) -> Table:
    """One line a contender; in brackets the ratio to the first."""
    shown = [figure for figure in _FIGURES if figure in rows[0]]
    table = Table(title=f"{rows[0]['scenario']}, {rows[0]['objects']} widgets, medians of {rows[0]['rounds']}")
    table.add_column("contender")
    for figure in shown:
        table.add_column(figure, justify="right")
    for row in rows:
        table.add_row(row["contender"], *(_cell(row[figure], rows[0][figure]) for figure in shown))
    return table


def _cell(value: float, first: float) -> str:
    return f"{value:g}" + (f" ({value / first:.2f})" if first else "")
