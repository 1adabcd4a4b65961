"""`windlass diagram`: a state machine as a picture that Markdown pages can show."""

import click

from windlass.cli.loading import load_object
from windlass.statemachine import Machine, mermaid

__all__ = ("command",)


@click.command()
@click.argument("reference", metavar="[MODULE:MACHINE]", default="windlass.operators.training.phases:MACHINE")
def command(reference: str) -> None:
    """Print a state machine as Mermaid; without an argument, the life of a TrainingJob."""
    found = load_object(reference, option="MODULE:MACHINE")
    if not isinstance(found, Machine):
        raise click.BadParameter(f"{reference} is not a Machine", param_hint="MODULE:MACHINE")
    click.echo(mermaid(found), nl=False)
