"""A machine is an immutable table, and ``next`` is the only way through it: no state is ever skipped or invented.

The table is checked once, where it is defined, so that a wrong one fails at import and not in a cluster. A machine
holds no current state: the state is read from what was observed, passed in, and the next one is returned.

This module does not know what a state means, who stores it, what must be done on entering it, or what time it is.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import attrs

from windlass.statemachine.errors import IllegalTransition, InvalidMachine

__all__ = ("Machine", "Transition")


class Transition(NamedTuple):
    """One row of the table: in state ``source``, the event ``event`` leads to state ``target``."""

    source: str
    event: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} --{self.event}--> {self.target}"


def _rows(transitions: Iterable[Transition | tuple[str, str, str]]) -> tuple[Transition, ...]:
    return tuple(Transition(*row) for row in transitions)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    # `tuple` itself as a converter would leave type checkers without the type of what may be passed.
    return tuple(names)


@attrs.frozen(repr=False)
class Machine:
    """A deterministic state machine, validated where it is defined.

    ``initial`` is the state of an object nobody has touched yet. ``transitions`` are rows, or plain triples, in the
    order in which diagrams and messages show them. ``final`` states end a life; a machine without any runs for ever.

    Raises ``InvalidMachine``, which names every broken rule at once:

    - names are non-empty strings without line breaks;
    - one (state, event) pair has one row, so the table is deterministic;
    - every state can be reached from ``initial``;
    - a final state has no way out;
    - a state that is not final has a way out, and can reach a final state if the machine has any.
    """

    name: str
    initial: str = attrs.field(kw_only=True)
    transitions: tuple[Transition, ...] = attrs.field(kw_only=True, converter=_rows)
    final: tuple[str, ...] = attrs.field(kw_only=True, default=(), converter=_names)
    states: tuple[str, ...] = attrs.field(init=False, eq=False)
    _table: Mapping[str, Mapping[str, str]] = attrs.field(init=False, eq=False)

    @states.default
    def _states(self) -> tuple[str, ...]:
        mentioned = [self.initial, *(state for row in self.transitions for state in (row.source, row.target))]
        return tuple(dict.fromkeys(mentioned))

    @_table.default
    def _rows_by_source(self) -> Mapping[str, Mapping[str, str]]:
        table: dict[str, dict[str, str]] = {state: {} for state in self.states}
        for row in self.transitions:
            table[row.source].setdefault(row.event, row.target)
        return table

    def __attrs_post_init__(self) -> None:
        # Names first: the rules about the graph would only repeat the trouble in stranger words.
        problems = list(_name_problems(self)) or [*_row_problems(self), *_graph_problems(self)]
        if problems:
            raise InvalidMachine(f"machine {self.name!r}: {'; '.join(problems)}")

    def next(self, state: str, event: str) -> str:
        """Return the state that ``event`` leads to from ``state``.

        Raises ``IllegalTransition`` if the table has no such row, or does not know the state at all (it may have been
        written by another version of the program); the message lists what would be allowed.
        """
        if state not in self._table:
            known = _listed(self.states)
            raise IllegalTransition(f"{self.name}: the state {state!r} is unknown; known states: {known}")
        target = self._table[state].get(event)
        if target is None:
            allowed = f"allowed: {_listed(self._table[state])}" if self._table[state] else "the state is final"
            raise IllegalTransition(f"{self.name}: the event {event!r} is not allowed in state {state!r}; {allowed}")
        return target

    def allows(self, state: str, event: str) -> bool:
        """Whether ``next(state, event)`` would return; False for an unknown state as well."""
        return event in self._table.get(state, {})

    def events(self, state: str) -> tuple[str, ...]:
        """The events allowed in ``state``, in the order of the table; empty for final and unknown states."""
        return tuple(self._table.get(state, {}))

    def is_final(self, state: str) -> bool:
        """Whether ``state`` ends a life; False for an unknown state."""
        return state in self.final

    def __repr__(self) -> str:
        return f"<Machine {self.name} states={len(self.states)} transitions={len(self.transitions)}>"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _name_problems(machine: Machine) -> Iterator[str]:
    events = (row.event for row in machine.transitions)
    # `object`, because a table may be written in a file that no type checker sees.
    names: dict[object, None] = dict.fromkeys([machine.name, *machine.states, *events, *machine.final])
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name.splitlines()) != 1:
            yield f"{name!r} is not a name: expected a non-empty string of one line"


def _row_problems(machine: Machine) -> Iterator[str]:
    seen: dict[tuple[str, str], Transition] = {}
    for row in machine.transitions:
        first = seen.setdefault((row.source, row.event), row)
        if first is not row:
            what = "is written twice" if first == row else f"contradicts {first}"
            yield f"the transition {row} {what}; one state and event have one target"


def _graph_problems(machine: Machine) -> Iterator[str]:
    forwards: dict[str, set[str]] = {state: set() for state in machine.states}
    backwards: dict[str, set[str]] = {state: set() for state in machine.states}
    for row in machine.transitions:
        forwards[row.source].add(row.target)
        backwards[row.target].add(row.source)
    for state in dict.fromkeys(machine.final):
        if state not in forwards:
            yield f"the final state {state!r} is unknown: no transition leads to it"
        elif forwards[state]:
            yield f"the final state {state!r} has a way out ({_listed(machine.events(state))})"
    reachable = _closure([machine.initial], forwards)
    finishing = _closure([state for state in machine.final if state in backwards], backwards)
    for state in machine.states:
        if state not in reachable:
            yield f"the state {state!r} cannot be reached from {machine.initial!r}"
        elif state not in machine.final and not forwards[state]:
            yield f"the state {state!r} is a dead end: it is not final and has no way out"
        elif machine.final and state not in finishing:
            yield f"the state {state!r} is a trap: no final state can be reached from it"


def _closure(starts: Collection[str], edges: Mapping[str, set[str]]) -> set[str]:
    found, frontier = set(starts), list(starts)
    while frontier:
        fresh = edges[frontier.pop()] - found
        found |= fresh
        frontier.extend(fresh)
    return found
