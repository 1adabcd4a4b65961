"""A row of a group stands for one row of each of its states, except where the state has a row of its own.

This module does not know whether a table is a good one.
"""

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from windlass.statemachine.guards import ALWAYS, Guard

__all__ = ("Groups", "Transition", "closure", "expand", "members", "route")

Groups = Mapping[str, tuple[str, ...]]


class Transition(NamedTuple):
    """One row: in state (or group) `source`, while `guard` holds, the event `event` leads to state `target`.

    `effects` name what is to be done on the way, in order.
    """

    source: str
    event: str
    target: str
    guard: Guard = ALWAYS
    effects: tuple[str, ...] = ()

    def __str__(self) -> str:
        guard = f" [{self.guard}]" if self.guard.terms else ""
        return f"{self.source} --{self.event}{guard}--> {self.target}"


def members(group: str, groups: Groups) -> tuple[str, ...]:
    """The states of a group, those of the groups in it included; what is no group is itself a state.

    A group that contains itself contributes nothing more.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name not in groups:
            found[name] = None
        elif name not in seen:
            seen.add(name)
            for member in groups[name]:
                visit(member)

    visit(group)
    return tuple(found)


def expand(transitions: Iterable[Transition], groups: Groups) -> tuple[Transition, ...]:
    """The rows with those of groups written out; the row of the narrowest source wins, as in any state chart."""
    transitions = tuple(transitions)
    widths: dict[tuple[str, str], int] = {}
    for row in transitions:
        for state in members(row.source, groups):
            width = len(members(row.source, groups)) if row.source in groups else 0
            widths[state, row.event] = min(width, widths.get((state, row.event), width))
    return tuple(
        row._replace(source=state)
        for row in transitions
        for state in members(row.source, groups)
        if widths[state, row.event] == (len(members(row.source, groups)) if row.source in groups else 0)
    )


def closure(starts: Iterable[str], edges: Mapping[str, Set[str]], *, without: str | None = None) -> set[str]:
    """What can be reached along the edges, the starts included; never through `without`."""
    found = {start for start in starts if start != without}
    frontier = list(found)
    while frontier:
        fresh = {name for name in edges[frontier.pop()] if name != without} - found
        found |= fresh
        frontier.extend(fresh)
    return found


def route(rows: Iterable[Transition], source: str, target: str) -> tuple[Transition, ...] | None:
    """The rows of a shortest way from one state to another, empty from a state to itself; None if there is none."""
    rows = tuple(rows)
    ways: dict[str, tuple[Transition, ...]] = {source: ()}
    frontier = [source]
    while frontier and target not in ways:
        following: list[str] = []
        for row in (row for state in frontier for row in rows if row.source == state):
            if row.target not in ways:
                ways[row.target] = (*ways[row.source], row)
                following.append(row.target)
        frontier = following
    return ways.get(target)
