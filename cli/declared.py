"""The manager that `windlass run` would start, for commands that only want to know what its controllers declare."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from windlass.cli.operators import Operator, add_all
from windlass.controller import Manager, Settings
from windlass.controller.election import LeaderElection
from windlass.operators.promotion import setup as setup_promotion
from windlass.operators.training import TrainingSettings
from windlass.operators.training import setup as setup_training

__all__ = ("declared_manager", "operator_options")


def operator_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which operators, as `windlass run` has them."""
    for option in (
        click.option("--leader-election/--no-leader-election", default=False, help="Replicas elect one that works."),
        click.option(
            "--promotion/--no-promotion", default=None, help="The promotion operator.  [default: as --training]"
        ),
        click.option("--katib/--no-katib", default=False, help="Checks may create Katib Experiments."),
        click.option("--training/--no-training", default=True, show_default=True, help="The training operator."),
        click.option("--operator", "references", multiple=True, metavar="MODULE:FUNCTION", help="May be repeated."),
    ):
        command = option(command)
    return command


def declared_manager(
    references: tuple[str, ...],
    *,
    training: bool,
    promotion: bool | None,
    leader_election: bool,
    namespace: str | None = None,
    katib: bool = False,
) -> Manager:
    """A manager with these operators and the installed ones; it is never started. `promotion` None is as `training`.

    With a `namespace` it watches that one alone, and its operators do without what is of the whole cluster.

    Raises click.BadParameter for a reference that names no operator, click.UsageError if there is none at all.
    """
    election = LeaderElection("windlass") if leader_election else None
    manager = Manager(namespace=namespace, settings=Settings(leader_election=election))
    promoting = training if promotion is None else promotion
    settings = TrainingSettings(state=Path("state"), models=Path("models"), promotions=promoting, katib=katib)
    built_in = [Operator("training", lambda manager: setup_training(manager, settings))] if training else []
    if promoting:
        built_in.append(Operator("promotion", setup_promotion))
    add_all(manager, references, built_in=built_in)
    return manager
