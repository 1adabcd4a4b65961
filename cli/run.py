"""`windlass run`: operators against a cluster, as a program of their own.

Operators come from three places: those built in, those that installed packages announce under the entry point group
`windlass.operators`, and those named by `--operator`. Each is a function that is given the manager and adds its
controllers.
"""

import asyncio
import contextlib
import errno
import importlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import click

from windlass.cli.logs import log_to_stderr
from windlass.cli.loop import run_until_signalled
from windlass.cli.operators import Operator, add_all
from windlass.cli.options import FILE, FOLDER, NAME, QUEUE, URI, URL, check_writable, each_queue_once, usable_kubeconfig
from windlass.cli.settings import in_options, manager_options, settings_of
from windlass.controller import Manager, ManagerError, Settings
from windlass.controller.journal import JournalFile
from windlass.operators import promotion as promotion_operator
from windlass.operators import training as training_operator  # its names are imported when they are first used
from windlass.operators.promotion.phases import MACHINE as PROMOTION
from windlass.operators.training.phases import MACHINE
from windlass.statemachine.errors import WindlassError

__all__ = ("command",)


@click.command()
@click.option("--kubeconfig", type=FILE, help="Default: $KUBECONFIG, ~/.kube/config, the pod's account.")
@click.option("--namespace", type=NAME, help="Watch this namespace only.")
@click.option(
    "--operator",
    "operators",
    multiple=True,
    envvar="WINDLASS_RUN_OPERATOR",
    metavar="MODULE:FUNCTION",
    help="Add an operator; may be repeated.",
)
@click.option("--training/--no-training", default=True, show_default=True, help="Run the built-in training operator.")
@click.option("--promotion/--no-promotion", default=False, show_default=True, help="Run the promotion operator.")
@click.option(
    "--promotion-url", "promotion_urls", type=URL, multiple=True, envvar="WINDLASS_RUN_PROMOTION_URL", metavar="PREFIX",
    help="Where promotions may ask for metrics and find endpoints; may be repeated.",
)  # fmt: skip
@click.option(
    "--state", type=FOLDER, default=Path("windlass-state"), show_default=True,
    help="Where training keeps its runs; must survive restarts, and be the same on all replicas.",
)  # fmt: skip
@click.option(
    "--models", type=FOLDER, default=Path("windlass-models"), show_default=True,
    help="Model repository that training publishes into.",
)  # fmt: skip
@click.option(
    "--allow-processes/--no-allow-processes", default=False, show_default=True,
    help="Let whoever may create TrainingJobs run any command on this machine (executor process).",
)  # fmt: skip
@click.option(
    "--runs-uri", type=URI, metavar="URI",
    help="How trainers in the cluster reach the folder runs in --state; default: its path.",
)  # fmt: skip
@click.option(
    "--queue", "queues", type=QUEUE, multiple=True, envvar="WINDLASS_RUN_QUEUE", metavar="NAME=PLACES",
    callback=each_queue_once,
    help="Let so many jobs of a queue train at once; may be repeated.  [default: no limit]",
)  # fmt: skip
@click.option(
    "--katib/--no-katib", default=False, show_default=True,
    help="Let checks create Katib Experiments: who may create jobs then runs Pods in their namespace.",
)  # fmt: skip
@click.option("--journal", type=FILE, help="Append every change of phase to this file.")
@manager_options
@click.option(
    "--uvloop/--no-uvloop", default=False, show_default=True,
    help="Run on uvloop instead of asyncio's own loop (extra uvloop).",
)  # fmt: skip
@click.option(
    "--log-format",
    type=click.Choice(["human", "json"]),
    default="human",
    show_default=True,
    help="How it is logged to stderr.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged to stderr.",
)
def command(
    kubeconfig: Path | None,
    namespace: str | None,
    operators: tuple[str, ...],
    *,
    training: bool,
    promotion: bool,
    promotion_urls: tuple[str, ...],
    state: Path,
    models: Path,
    allow_processes: bool,
    runs_uri: str | None,
    queues: tuple[tuple[str, int], ...],
    katib: bool,
    journal: Path | None,
    uvloop: bool,
    log_format: str,
    log_level: str,
    **given: Any,
) -> int:
    """Run operators against a cluster until Ctrl-C or a failure.

    Every option can be given by the environment: --log-level as WINDLASS_RUN_LOG_LEVEL.
    """
    as_json = log_format == "json"
    loop_factory = _uvloop() if uvloop else None
    log_to_stderr(logging.getLevelNamesMapping()[log_level.upper()], style="json" if as_json else "full")
    try:
        manager = Manager(kubeconfig=kubeconfig, namespace=namespace, settings=_settings(given, journal))
    except WindlassError as error:
        raise click.UsageError(_in_options(error)) from error
    built_in = []
    if training and manager.settings.dry_run:
        click.echo("windlass: the training operator takes no part in a dry run: it starts processes", err=True)
    elif training:
        chosen = training_operator.TrainingSettings(
            state=state.resolve(),
            models=models.resolve(),
            allow_processes=allow_processes,
            runs_uri=runs_uri,
            queues=dict(queues),
            promotions=promotion,
            katib=katib,
        )
        built_in.append(_training(chosen, given["workers"]))
    if promotion:
        built_in.append(_promotion(promotion_urls))
    add_all(manager, operators, built_in=built_in)
    try:
        with usable_kubeconfig():
            return run_until_signalled(lambda: _run(manager, quiet=as_json), loop_factory=loop_factory)
    except ManagerError as error:
        raise click.ClickException(_in_options(error)) from error


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        # Only those import it who ask for it.
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError as error:
        raise click.BadParameter(
            f"uvloop cannot be imported ({error}): pip install 'windlass[uvloop]'", param_hint="--uvloop"
        ) from error
    return factory


def _settings(given: dict[str, Any], journal: Path | None) -> Settings:
    settings = settings_of(given)
    if journal is None:
        return settings
    if not journal.resolve().parent.is_dir():
        raise click.BadParameter(f"{journal}: there is no folder {journal.resolve().parent}", param_hint="--journal")
    return attrs.evolve(
        settings, journal=JournalFile(journal.resolve(), {"Promotion": PROMOTION, "TrainingJob": MACHINE})
    )


def _in_options(error: WindlassError) -> str:
    """The message in the words of who wrote the command: options, where the library names its settings."""
    text, cause = str(error), error.__cause__
    if isinstance(cause, OSError) and cause.errno not in (errno.EADDRINUSE, errno.EACCES):
        # Another port would not help.
        text = text.replace(
            "choose another Settings.probe_port, 0 for any free one",
            "expected an address of this machine in --probe-host",
        )
    return in_options(text)


async def _run(manager: Manager, *, quiet: bool) -> int:
    async with manager:
        if not quiet:  # in JSON the log says it
            click.echo(f"running      {', '.join(controller.name for controller in manager.controllers)}")
        with _told_to_stop():
            await manager.wait()
    return 0


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """A signal ends the block and not the task: what the orderly stop then meets, GraceExceeded say, is to be told."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.uncancel() > 0:
            raise


def _promotion(urls: tuple[str, ...]) -> Operator:
    settings = promotion_operator.PromotionSettings(urls=urls)
    return Operator("promotion", lambda manager: promotion_operator.setup(manager, settings))


def _training(settings: training_operator.TrainingSettings, workers: int | None) -> Operator:
    check_writable(settings.state, "--state")
    check_writable(settings.models, "--models")
    if workers is not None:
        settings = attrs.evolve(settings, workers=workers)
    return Operator("training", lambda manager: training_operator.setup(manager, settings))
