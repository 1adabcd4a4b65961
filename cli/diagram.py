"""`windlass diagram`: a state machine as a picture, with the way of one object in it if that is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import click

from windlass.cli.evidence import Question
from windlass.cli.journal import KIND, MACHINE, given_key, given_kind, given_machine, told_by
from windlass.cli.options import FILE
from windlass.statemachine import Machine, mermaid
from windlass.statemachine.diagram import graphviz
from windlass.statemachine.journal import lives
from windlass.statemachine.svg import svg

__all__ = ("command",)


class _Draw(Protocol):
    def __call__(self, machine: Machine, *, path: Sequence[str] = ()) -> str: ...


_FORMATS: Final[dict[str, _Draw]] = {"mermaid": mermaid, "graphviz": graphviz, "svg": svg}


@click.command()
@click.argument("reference", metavar="[MODULE:MACHINE]", default=MACHINE)
@click.option(
    "--format",
    "drawn_as",
    type=click.Choice(list(_FORMATS)),
    default="mermaid",
    show_default=True,
    help="How to draw it.",
)
@click.option("--journal", type=FILE, help="Show the way of an object that this journal or audit log tells of.")
@click.option("--only", metavar="[NAMESPACE/]NAME", help="Which object, if the journal tells of several.")
@click.option("--kind", default=KIND, metavar="MODULE:CLASS", help="The class of the object.")
@click.option("--field", default="phase", show_default=True, help="In an audit log, the field with the state.")
def command(reference: str, *, drawn_as: str, journal: Path | None, only: str | None, kind: str, field: str) -> None:
    """Print a state machine; without an argument, the life of a TrainingJob."""
    machine = given_machine(reference, option="MODULE:MACHINE")
    key = None if only is None else given_key(only, option="--only")
    path = () if journal is None else _path(journal, Question(machine, given_kind(kind), key, field))
    click.echo(_FORMATS[drawn_as](machine, path=path), nl=False)


def _path(journal: Path, question: Question) -> tuple[str, ...]:
    """The states that the one object went through in the last of its lives."""
    found = lives(told_by(journal, question, option="--journal").entries)
    if len(found) != 1:
        names = ", ".join(sorted({subject.partition(" ")[2] for subject, _ in found})) or "no object"
        raise click.BadParameter(f"{journal} tells of {names}: name one with --only", param_hint="--journal")
    (entries,) = found.values()
    life = [entry for entry in entries if entry.generation == entries[-1].generation]
    start = life[0].source if len(life) == len(entries) else question.machine.initial
    way = (start, *(entry.target for entry in life))
    unknown = sorted({state for state in way if state not in question.machine.states})
    if unknown:
        raise click.BadParameter(
            f"{journal} tells of {', '.join(unknown)}, which the machine does not have: name the machine it is about",
            param_hint="--journal",
        )
    return way
