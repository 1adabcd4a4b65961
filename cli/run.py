"""`windlass run`: operators against a cluster, as a program of their own.

Operators come from three places: those built in, those that installed packages announce under the entry point group
`windlass.operators`, and those named by `--operator`. Each is a function that is given the manager and adds its
controllers.
"""

import logging
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, cast

import click

from windlass.cli.loading import load_object
from windlass.cli.logs import log_to_stderr
from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FILE, FOLDER, PORT, usable_kubeconfig
from windlass.controller import Manager, Settings
from windlass.operators.training import TrainingSettings
from windlass.operators.training import setup as setup_training

__all__ = ("command",)

_GROUP: Final = "windlass.operators"

Setup = Callable[[Manager], object]


@click.command()
@click.option("--kubeconfig", type=FILE, help="Default: $KUBECONFIG, ~/.kube/config, the pod's account.")
@click.option("--namespace", help="Watch this namespace only.")
@click.option(
    "--operator", "references", multiple=True, metavar="MODULE:FUNCTION", help="Add an operator; may be repeated."
)
@click.option("--training/--no-training", default=True, show_default=True, help="Run the built-in training operator.")
@click.option(
    "--state", type=FOLDER, default=Path("windlass-state"), show_default=True,
    help="Where training keeps its runs; must survive restarts.",
)  # fmt: skip
@click.option(
    "--models", type=FOLDER, default=Path("windlass-models"), show_default=True,
    help="Model repository that training publishes into.",
)  # fmt: skip
@click.option("--probe-port", type=PORT, help="Serve /healthz, /readyz, /metrics and /debug/controllers on 127.0.0.1.")
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
    references: tuple[str, ...],
    *,
    training: bool,
    state: Path,
    models: Path,
    probe_port: int | None,
    log_level: str,
) -> int:
    """Run operators against a cluster until Ctrl-C or a failure."""
    log_to_stderr(logging.getLevelNamesMapping()[log_level.upper()], brief=False)
    manager = Manager(kubeconfig=kubeconfig, namespace=namespace, settings=Settings(probe_port=probe_port))
    if training:
        setup_training(manager, TrainingSettings(state=state.resolve(), models=models.resolve()))
    for setup in (*_installed(), *(_named(reference) for reference in references)):
        setup(manager)
    if not manager.controllers:
        raise click.UsageError("there is nothing to run: name an --operator, or leave --training on")
    with usable_kubeconfig():
        return run_until_signalled(lambda: _run(manager))


async def _run(manager: Manager) -> int:
    async with manager:
        click.echo(f"running      {', '.join(controller.name for controller in manager.controllers)}")
        await manager.wait()
    return 0


def _installed() -> list[Setup]:
    """The operators that installed packages announce."""
    found: list[Setup] = []
    for point in entry_points(group=_GROUP):
        try:
            found.append(point.load())
        except Exception as error:
            raise click.ClickException(
                f"the operator {point.name!r} ({point.value}) cannot be imported: {error}"
            ) from error
    return found


def _named(reference: str) -> Setup:
    found = load_object(reference, option="--operator")
    if not callable(found):
        raise click.BadParameter(f"{reference} is not a function that takes a manager", param_hint="--operator")
    return cast("Setup", found)
