"""`windlass crd`: what the classes say, as CustomResourceDefinitions."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import attrs
import click
import yaml

from windlass.cli.loading import load_object
from windlass.cli.options import FOLDER, SERVICE
from windlass.cli.revision import files_at
from windlass.informers import CustomResource
from windlass.manifests import Change, Definable, Versions, Webhook, changes, definition_of, drift, to_yaml, write
from windlass.manifests.crd import HEADER
from windlass.manifests.shapes import shape_faults
from windlass.operators.promotion import Promotion
from windlass.operators.training import TrainingJob

__all__ = ("check", "command", "diff", "generate")

_BUILT_IN: Final[tuple[Definable, ...]] = (Promotion, TrainingJob)
_GENERATED: Final = Path("manifests/generated")

_REFERENCES = click.argument("references", metavar="[MODULE:KIND]...", nargs=-1)
_FOLDER = click.option("--folder", type=FOLDER, default=_GENERATED, show_default=True, help="Where the files lie.")
_WEBHOOK = click.option(
    "--webhook",
    type=SERVICE,
    metavar="NAMESPACE/SERVICE",
    help="Service of the conversion webhook, for kinds of several versions.",
)
_AGAINST = click.option("--against", metavar="REVISION", help="A git revision, such as origin/main or v0.1.0.")


@click.group(no_args_is_help=False)
def command() -> None:
    """CustomResourceDefinitions from the code; without a MODULE:KIND, those of the built-in operators.

    A KIND is a class, or a Versions value for a kind that has several.
    """


@command.command()
@_REFERENCES
@click.option("--folder", type=FOLDER, help="Write one file a definition here, instead of printing them.")
@_WEBHOOK
def generate(references: tuple[str, ...], folder: Path | None, webhook: str | None) -> None:
    """Print the definitions, or write those that have changed to a folder."""
    kinds, conversion = _kinds(references), _conversion(webhook)
    if folder is None:
        click.echo(to_yaml([definition_of(kind, conversion) for kind in kinds]), nl=False)
        return
    for path in write(kinds, folder, conversion=conversion):
        click.echo(f"wrote {path}")


@command.command()
@_REFERENCES
@_FOLDER
@_WEBHOOK
@_AGAINST
def check(references: tuple[str, ...], folder: Path, webhook: str | None, against: str | None) -> int:
    """Fail, with the differences, when the files in a folder are not what the code says.

    With --against, fail as well for each change since that revision which breaks objects or clients that were right.
    """
    kinds, conversion = _kinds(references), _conversion(webhook)
    faults = drift(kinds, folder, conversion=conversion)
    if against is not None:
        now = _now(kinds, conversion)
        found = _compared(_definitions(files_at(against, folder), now), now)
        faults += [str(change) for change in found if change.breaking]
    for fault in faults:
        click.echo(fault, err=True)
    return 1 if faults else 0


@command.command()
@_REFERENCES
@_FOLDER
@_WEBHOOK
@_AGAINST
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for programs.")
def diff(references: tuple[str, ...], folder: Path, webhook: str | None, against: str | None, *, as_json: bool) -> None:
    """Show what the code changes in the definitions of a folder, or of a revision, and whether that breaks anybody."""
    if against is not None:
        before = files_at(against, folder)
    else:
        files = sorted(folder.glob("*.yaml"))
        before = {path.name: path.read_bytes().decode(errors="surrogateescape") for path in files}
    now = _now(_kinds(references), _conversion(webhook))
    found = _compared(_definitions(before, now), now)
    if as_json:
        click.echo(json.dumps([attrs.asdict(change) for change in found], indent=2))
        return
    for change in found:
        click.secho(str(change), fg="red" if change.breaking else None)
    broken = sum(change.breaking for change in found)
    click.echo(f"{len(found)} changes, {broken} of them breaking" if found else "no changes")


def _kinds(references: tuple[str, ...]) -> tuple[Definable, ...]:
    return tuple(_kind(reference) for reference in references) or _BUILT_IN


def _kind(reference: str) -> Definable:
    found = load_object(reference, option="MODULE:KIND")
    if isinstance(found, Versions) or (isinstance(found, type) and issubclass(found, CustomResource)):
        return found
    raise click.BadParameter(f"{reference} is neither a CustomResource class nor Versions", param_hint="MODULE:KIND")


def _conversion(webhook: str | None) -> Webhook | None:
    return None if webhook is None else Webhook(service=webhook)


def _now(kinds: tuple[Definable, ...], conversion: Webhook | None) -> dict[str, dict[str, Any]]:
    made = (definition_of(kind, conversion) for kind in kinds)
    return {definition["metadata"]["name"]: definition for definition in made}


def _definitions(texts: dict[str, str], now: Collection[str]) -> dict[str, dict[str, Any]]:
    """The definitions in files, by name; one that we neither generate `now` nor have generated is not ours to judge.

    Raises click.ClickException, which names the file, for one that cannot be what was generated.
    """
    found = {}
    for name, text in texts.items():
        for document in _documents(name, text):
            if document.get("kind") != "CustomResourceDefinition":
                continue
            if not _is_definition(document):
                raise click.ClickException(f"{name}: expected a whole CustomResourceDefinition, found a part of one")
            # Comments may be lost on the way, and what is in the cluster does not change by that.
            if document["metadata"]["name"] in now or text.startswith(HEADER):
                if wrong := shape_faults(document):
                    raise click.ClickException(f"{name}: {wrong[0]}")
                found[document["metadata"]["name"]] = document
    return found


def _documents(name: str, text: str) -> list[dict[str, Any]]:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise click.ClickException(f"{name} is not UTF-8")
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise click.ClickException(f"{name} is no YAML: {' '.join(str(error).split())}") from error
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise click.ClickException(f"{name}: expected objects of Kubernetes, found {text[:40]!r}")
    return documents


def _is_definition(document: dict[str, Any]) -> bool:
    """Whether it has the parts that are compared."""
    match document:
        case {"metadata": {"name": str()}, "spec": {"names": dict(), "versions": [_, *_] as versions}}:
            return all(
                isinstance(one, dict)
                and isinstance(one.get("name"), str)
                and isinstance(one.get("schema", {}), dict)
                and isinstance(one.get("schema", {}).get("openAPIV3Schema", {}), dict)
                for one in versions
            )
    return False


def _compared(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[Change]:
    found = []
    for name in sorted({*before, *now}):
        for change in changes(before.get(name), now.get(name)):
            place = change.place if change.place == name else f"{name} {change.place}"
            found.append(attrs.evolve(change, place=place))
    return found
