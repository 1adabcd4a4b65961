"""`windlass crd`: what the classes say, as CustomResourceDefinitions."""

from pathlib import Path
from typing import Final

import click

from windlass.cli.loading import load_object
from windlass.cli.options import FOLDER
from windlass.informers import CustomResource
from windlass.manifests import crd, drift, to_yaml, write
from windlass.operators.training import TrainingJob

__all__ = ("check", "command", "generate")

_BUILT_IN: Final[tuple[type[CustomResource], ...]] = (TrainingJob,)

_REFERENCES = click.argument("references", metavar="[MODULE:CLASS]...", nargs=-1)


@click.group(no_args_is_help=False)
def command() -> None:
    """CustomResourceDefinitions from the code; without a MODULE:CLASS, those of the built-in operators."""


@command.command()
@_REFERENCES
@click.option("--folder", type=FOLDER, help="Write one file a definition here, instead of printing them.")
def generate(references: tuple[str, ...], folder: Path | None) -> None:
    """Print the definitions, or write those that have changed to a folder."""
    kinds = _kinds(references)
    if folder is None:
        click.echo(to_yaml([crd(kind) for kind in kinds]), nl=False)
        return
    for path in write(kinds, folder):
        click.echo(f"wrote {path}")


@command.command()
@_REFERENCES
@click.option(
    "--folder", type=FOLDER, default=Path("manifests/generated"), show_default=True, help="Where the files lie."
)
def check(references: tuple[str, ...], folder: Path) -> int:
    """Fail, with the differences, when the files in a folder are not what the code says."""
    differences = drift(_kinds(references), folder)
    for difference in differences:
        click.echo(difference, err=True)
    return 1 if differences else 0


def _kinds(references: tuple[str, ...]) -> tuple[type[CustomResource], ...]:
    return tuple(_kind(reference) for reference in references) or _BUILT_IN


def _kind(reference: str) -> type[CustomResource]:
    found = load_object(reference, option="MODULE:CLASS")
    if not (isinstance(found, type) and issubclass(found, CustomResource)):
        raise click.BadParameter(f"{reference} is not a CustomResource class", param_hint="MODULE:CLASS")
    return found
