"""`windlass job`: see how training jobs are, read what they say, and steer them.

Exit codes as everywhere: 1 where a job is not there or did not succeed, 2 for wrong usage or configuration.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from windlass.cli.job.access import Jobs, Place, at_place, open_jobs
from windlass.cli.job.description import describe as lines_about
from windlass.cli.job.listing import Asked, list_jobs, watch_jobs
from windlass.cli.job.output import Listening, show_output
from windlass.cli.job.steering import CANCEL, RESUME, SUSPEND, Steering, steer
from windlass.cli.job.summary import promotion_key
from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FILE, FOLDER, OBJECT, usable_kubeconfig
from windlass.informers import unstructure
from windlass.operators.training import TrainingJob
from windlass.operators.training.files import replace_file
from windlass.operators.training.timeline.history import history_of
from windlass.operators.training.timeline.picture import draw

__all__ = ("command", "describe", "list_command", "logs", "timeline")

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_NAME = click.argument("name", type=OBJECT)


@click.group(no_args_is_help=False)
def command() -> None:
    """Training jobs of a cluster: how they are, what they say, and what is to become of them."""


@command.command("list")
@click.argument("names", nargs=-1, type=OBJECT, metavar="[NAME]...")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Those of all namespaces.")
@click.option(
    "-w", "--watch", is_flag=True, help="Show them live; with names, until these have ended (1 if one did not succeed)."
)
@_JSON
@at_place
def list_command(
    names: tuple[str, ...],
    *,
    everywhere: bool,
    watch: bool,
    as_json: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> int:
    """Print the jobs: phase, epoch, loss, accuracy, model, and the share of traffic of their promotions."""
    if names and everywhere:
        raise click.UsageError("names are of one namespace: leave --all-namespaces or the names out")
    asked = Asked(names, everywhere, as_json)
    place = Place(kubeconfig, namespace)
    if watch:
        return _with_jobs(place, lambda jobs: watch_jobs(jobs, asked), lasting=True)
    return _with_jobs(place, lambda jobs: list_jobs(jobs, asked))


@command.command()
@_NAME
@_JSON
@at_place
def describe(name: str, *, as_json: bool, kubeconfig: Path | None, namespace: str | None) -> int:
    """Print all that is on record of a job: conditions, attempts, data, gate, model, promotion, journal and Events."""

    async def show(jobs: Jobs) -> int:
        job = await jobs.get(name)
        promotion = (await jobs.promotions()).get(promotion_key(job))
        found = None if promotion is None else unstructure(promotion)
        events = await jobs.events(job)
        if as_json:
            click.echo(json.dumps({"job": job.to_dict(), "promotion": found, "events": events}, indent=2))
        else:
            click.echo("\n".join(lines_about(job.to_dict(), found, events, now=datetime.now(UTC))))
        return 0

    return _with_jobs(Place(kubeconfig, namespace), show)


@command.command()
@_NAME
@click.option(
    "--state", type=FOLDER, default=Path("windlass-state"), show_default=True,
    help="Folder of an operator on this machine: that of `windlass run --state`, or of `windlass up --data`.",
)  # fmt: skip
@click.option("--attempt", type=click.IntRange(1), help="This attempt alone.")
@click.option("--tail", type=click.IntRange(0), help="The last lines, so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("-c", "--container", help="Of Pods, this container. Default: their own, or their first.")
@_JSON
@at_place
def logs(name: str, *, kubeconfig: Path | None, namespace: str | None, **given: Any) -> int:
    """Print what a job's trainer says: from the folder of its run, or from its Pods."""
    listening = Listening(**given)
    place = Place(kubeconfig, namespace)
    return _with_jobs(place, lambda jobs: show_output(jobs, name, listening), lasting=listening.follow)


@command.command()
@_NAME
@click.option("-o", "--output", type=FILE, help="Write the picture into this file instead of printing it.")
@at_place
def timeline(name: str, *, output: Path | None, kubeconfig: Path | None, namespace: str | None) -> int:
    """Draw the life of a job as SVG: phases, attempts, checks of the gate, and traffic."""

    async def show(jobs: Jobs) -> int:
        found = await jobs.get(name)
        history = history_of(found.as_(TrainingJob), (await jobs.promotions()).get(promotion_key(found)))
        if history is None:
            raise click.ClickException(f"nothing is on record of {found.key} yet")
        if output is None:
            click.echo(draw(history), nl=False)
        else:
            _write(output, draw(history))
        return 0

    return _with_jobs(Place(kubeconfig, namespace), show)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a reader may be looking at the one that is there."""
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--output") from error


def _steering(name: str, steering: Steering, summary: str) -> None:
    @command.command(name, help=summary)
    @_NAME
    @_JSON
    @at_place
    def steered(name: str, *, as_json: bool, kubeconfig: Path | None, namespace: str | None) -> int:
        async def carry_out(jobs: Jobs) -> int:
            said = await steer(jobs, name, steering)
            click.echo(json.dumps({"message": said}) if as_json else said)
            return 0

        return _with_jobs(Place(kubeconfig, namespace), carry_out)


_steering("suspend", SUSPEND, "Let a job's trainer end; what it has done stays, and `resume` goes on from there.")
_steering("resume", RESUME, "Let a suspended job go on from its newest checkpoint.")
_steering("cancel", CANCEL, "End a job for good. What it published stays.")


def _with_jobs(place: Place, work: Callable[[Jobs], Coroutine[Any, Any, int]], *, lasting: bool = False) -> int:
    """Do it once; what is `lasting` goes on until Ctrl-C, which is then no failure."""

    async def carry_out() -> int:
        async with open_jobs(place) as jobs:
            return await work(jobs)

    with usable_kubeconfig():
        return run_until_signalled(carry_out) if lasting else asyncio.run(carry_out())
