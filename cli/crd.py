"""`windlass crd`: what the classes say, as CustomResourceDefinitions."""

from pathlib import Path

import click

from windlass.cli.loading import load_object
from windlass.informers import CustomResource
from windlass.manifests import crd, drift, to_yaml, write
from windlass.operators.training import TrainingJob

__all__ = ("command",)

KINDS: tuple[type[CustomResource], ...] = (TrainingJob,)

_FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("manifests/generated"),
    show_default=True,
    help="Where the generated files lie.",
)


@click.group()
def command() -> None:
    """CustomResourceDefinitions from the code."""


@command.command()
@click.argument("references", metavar="[MODULE:CLASS]...", nargs=-1)
@_FOLDER
def generate(references: tuple[str, ...], folder: Path) -> None:
    """Print the definitions of the classes given, or write those of the built-in operators to the folder."""
    if references:
        click.echo(to_yaml([crd(_kind(reference)) for reference in references]), nl=False)
        return
    for path in write(KINDS, folder):
        click.echo(f"wrote {path}")


@command.command()
@_FOLDER
def check(folder: Path) -> int:
    """Fail when the files in the folder differ from what the code says."""
    differences = drift(KINDS, folder)
    for difference in differences:
        click.echo(difference, err=True)
    return 1 if differences else 0


def _kind(reference: str) -> type[CustomResource]:
    found = load_object(reference, option="MODULE:CLASS")
    if not (isinstance(found, type) and issubclass(found, CustomResource)):
        raise click.BadParameter(f"{reference} is not a CustomResource class", param_hint="MODULE:CLASS")
    return found
