"""`windlass journal`: what happened to an object, in order, and everything about it that should not have happened."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Final

import click

from windlass.cli.evidence import Evidence, Question, from_file, from_object
from windlass.cli.loading import load_object
from windlass.cli.options import FILE, usable_kubeconfig
from windlass.informers import CustomResource, Key
from windlass.statemachine import JournalError, Machine
from windlass.statemachine.journal import Entry, lives, to_json

__all__ = ("KIND", "MACHINE", "command", "explain", "export", "given_key", "given_kind", "given_machine", "told_by")

MACHINE: Final = "windlass.operators.training.phases:MACHINE"
KIND: Final = "windlass.operators.training:TrainingJob"


@click.group(no_args_is_help=False)
def command() -> None:
    """Journals of transitions: in a file, in an API server's audit log, or in an object's status."""


def _source(function: click.decorators.FC) -> click.decorators.FC:
    for decorate in reversed(
        (
            click.argument("source", metavar="FILE|[NAMESPACE/]NAME"),
            click.option("--machine", default=MACHINE, metavar="MODULE:MACHINE", help="The table to follow."),
            click.option("--kind", default=KIND, metavar="MODULE:CLASS", help="The class of the objects."),
            click.option("--only", metavar="[NAMESPACE/]NAME", help="Of a file, this object's life alone."),
            click.option("--field", default="phase", show_default=True, help="The field of the status with the state."),
            click.option("--kubeconfig", type=FILE, help="Where the object is, if it is not a file."),
        )
    ):
        function = decorate(function)
    return function


@command.command()
@_source
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def explain(source: str, *, as_json: bool, **options: str | Path | None) -> int:
    """Print the timeline and what is wrong with it; exit with 1 if anything is."""
    found = _evidence(source, options)
    click.echo(json.dumps(_as_json(found), indent=2) if as_json else "\n".join(_as_text(found)))
    return 1 if found.findings else 0


@command.command()
@_source
def export(source: str, **options: str | Path | None) -> None:
    """Print the transitions as a journal file has them, one JSON object a line."""
    for entry in _evidence(source, options).entries:
        click.echo(json.dumps(to_json(entry)))


def _evidence(source: str, options: dict[str, str | Path | None]) -> Evidence:
    question = Question(
        given_machine(str(options["machine"]), option="--machine"),
        given_kind(str(options["kind"])),
        None if options["only"] is None else given_key(str(options["only"]), option="--only"),
        str(options["field"]),
    )
    path = Path(source)
    if path.exists():
        return told_by(path, question, option="FILE")
    kubeconfig = options["kubeconfig"]
    key = given_key(source if "/" in source else f"default/{source}", option="FILE|NAME")
    with usable_kubeconfig():
        return asyncio.run(from_object(kubeconfig if isinstance(kubeconfig, Path) else None, question, key))


def told_by(path: Path, question: Question, *, option: str) -> Evidence:
    """What the file says. Raises click.BadParameter if it does not say it: 1 is for what the journal itself tells."""
    try:
        return from_file(path, question)
    except (JournalError, OSError) as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def given_machine(reference: str, *, option: str) -> Machine:
    """The machine that the reference names. Raises click.BadParameter."""
    found = load_object(reference, option=option)
    if not isinstance(found, Machine):
        raise click.BadParameter(f"{reference} is not a Machine", param_hint=option)
    return found


def given_kind(reference: str) -> type[CustomResource]:
    """The class that `--kind` names. Raises click.BadParameter."""
    found = load_object(reference, option="--kind")
    if not (isinstance(found, type) and issubclass(found, CustomResource)):
        raise click.BadParameter(f"{reference} is not a CustomResource class", param_hint="--kind")
    return found


def given_key(text: str, *, option: str) -> Key:
    """The key that was written. Raises click.BadParameter."""
    try:
        return Key.parse(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text}: neither a file nor the name of an object: {error}", param_hint=option
        ) from error


def _as_text(found: Evidence) -> Iterator[str]:
    if not found.entries and not found.findings:
        yield "no transitions"
        return
    subjects = lives((*found.entries, *(finding.entry for finding in found.findings)))
    for subject, uid in subjects:
        yield f"{subject or 'object'}{f' ({uid})' if uid else ''}"
        for entry in (one for one in found.entries if (one.subject, one.uid) == (subject, uid)):
            yield f"  {_line(entry)}"
        for finding in found.findings:
            if (finding.entry.subject, finding.entry.uid) == (subject, uid):
                yield f"  ✗ {finding.entry.at.astimezone(UTC):%H:%M:%S} {finding}"
    faults = len(found.findings)
    yield f"{len(subjects)} object(s), {len(found.entries)} transition(s), {faults or 'no'} fault{'s' * (faults != 1)}"


def _line(entry: Entry) -> str:
    versions = " → ".join(filter(None, (entry.version_before, entry.version_after)))
    parts = [
        f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z",
        f"{entry.source} → {entry.target}",
        entry.cause,
        f"by {entry.writer}" if entry.writer else "",
        f"version {versions}" if versions else "",
        f"trace {entry.trace_id}" if entry.trace_id else "",
        f"generation {entry.generation}" if entry.generation > 1 else "",
    ]
    return "  ".join(filter(None, parts))


def _as_json(found: Evidence) -> dict[str, object]:
    return {
        "entries": [to_json(entry) for entry in found.entries],
        "findings": [
            {
                "kind": finding.kind,
                "message": finding.message,
                "writers": list(finding.writers),
                "entry": to_json(finding.entry),
            }
            for finding in found.findings
        ],
    }
