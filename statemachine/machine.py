"""A machine is an immutable table, and `step` is the only way through it: no state is ever skipped or invented.

The table is checked once, where it is defined, so that a wrong one fails at import and not in a cluster. A machine
holds no current state: the state is read from what was observed, passed in, and the next one is returned.

This module does not know what a state means, who stores it, how an effect is performed, or what time it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from windlass.statemachine.errors import IllegalTransition, InvalidMachine
from windlass.statemachine.guards import ALWAYS, Facts, Guard, Value
from windlass.statemachine.rules import faults, listed
from windlass.statemachine.transitions import Transition, expand, members, route

__all__ = ("Machine", "Step", "Transition")


class Step(NamedTuple):
    """What a step comes to: the next state, the names of what to do on the way, in order, and the row that said so."""

    state: str
    effects: tuple[str, ...]
    row: Transition


def _rows(transitions: Iterable[Transition | tuple[Any, ...]]) -> tuple[Transition, ...]:
    return tuple(Transition(*row) for row in transitions)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    # `tuple` itself as a converter would leave type checkers without the type of what may be passed.
    return tuple(names)


_Groups = tuple[tuple[str, tuple[str, ...]], ...]
_Domains = tuple[tuple[str, tuple[Value, ...]], ...]


def _members(groups: Mapping[str, Iterable[str]] | Iterable[tuple[str, Iterable[str]]]) -> _Groups:
    return tuple((name, tuple(members)) for name, members in dict(groups).items())


def _guards(entry: Mapping[str, Guard] | Iterable[tuple[str, Guard]]) -> tuple[tuple[str, Guard], ...]:
    return tuple(dict(entry).items())


def _domains(facts: Mapping[str, Iterable[Value]] | Iterable[tuple[str, Iterable[Value]]]) -> _Domains:
    return tuple((name, tuple(values)) for name, values in dict(facts).items())


@attrs.frozen(repr=False)
class Machine:
    """A deterministic state machine, validated where it is defined.

    `initial` is the state of an object nobody has touched yet. `transitions` are rows, or plain tuples, in the order in
    which diagrams and messages show them. `final` states end a life; a machine without any runs for ever.

    `groups` name sets of states, or of other groups: a row whose source is a group is a row of each of its states that
    has none of its own for that event. `facts` are what guards may ask for, with the values each can have. `entry`
    says, for a state, what must be true whenever it is entered. `order` lists states none of which any life may skip:
    each is entered only after the one before it has been.

    Raises `InvalidMachine`, which names every broken rule at once; `windlass.statemachine.rules` lists the rules.
    """

    name: str
    initial: str = attrs.field(kw_only=True)
    transitions: tuple[Transition, ...] = attrs.field(kw_only=True, converter=_rows)
    final: tuple[str, ...] = attrs.field(kw_only=True, default=(), converter=_names)
    groups: _Groups = attrs.field(kw_only=True, default=(), converter=_members)
    facts: _Domains = attrs.field(kw_only=True, default=(), converter=_domains)
    entry: tuple[tuple[str, Guard], ...] = attrs.field(kw_only=True, default=(), converter=_guards)
    order: tuple[str, ...] = attrs.field(kw_only=True, default=(), converter=_names)
    rows: tuple[Transition, ...] = attrs.field(init=False, eq=False)  # with those of groups written out
    states: tuple[str, ...] = attrs.field(init=False, eq=False)
    _table: Mapping[str, Mapping[str, tuple[Transition, ...]]] = attrs.field(init=False, eq=False)
    _entry: Mapping[str, Guard] = attrs.field(init=False, eq=False)
    _direct: Mapping[tuple[str, str], str] = attrs.field(init=False, eq=False)

    @rows.default
    def _rows_of_states(self) -> tuple[Transition, ...]:
        return expand(self.transitions, dict(self.groups))

    @states.default
    def _states(self) -> tuple[str, ...]:
        mentioned = [self.initial, *(state for row in self.rows for state in (row.source, row.target))]
        return tuple(dict.fromkeys(mentioned))

    @_table.default
    def _rows_by_source(self) -> Mapping[str, Mapping[str, tuple[Transition, ...]]]:
        table: dict[str, dict[str, tuple[Transition, ...]]] = {state: {} for state in self.states}
        for row in self.rows:
            table[row.source][row.event] = (*table[row.source].get(row.event, ()), row)
        return table

    @_entry.default
    def _entry_by_state(self) -> Mapping[str, Guard]:
        return dict(self.entry)

    @_direct.default
    def _targets_that_ask_for_nothing(self) -> Mapping[tuple[str, str], str]:
        return {
            (row.source, row.event): row.target
            for row in self.rows
            if not row.guard.terms and row.target not in self._entry
        }

    def __attrs_post_init__(self) -> None:
        if problems := faults(self):
            raise InvalidMachine(f"machine {self.name!r}: {'; '.join(problems)}")

    def step(self, state: str, event: str, facts: Facts | None = None) -> Step:
        """Where `event` leads from `state`, and what is to be done on the way; nothing is changed.

        Raises `IllegalTransition` if the table has no such row, if no row's guard holds under `facts`, if what must be
        true on entry is not, if a fact that is asked for is not given, or if the state is unknown (it may have been
        written by another version of the program); the message says what would be allowed.
        """
        rows = self._rows_for(state, event)
        known = {} if facts is None else facts
        self._check_facts(rows, known)
        row = next((row for row in rows if row.guard.holds(known)), None)
        where = f"{self.name}: the event {event!r} is not allowed in state {state!r}"
        if row is None:
            needed = " or ".join(f"({row.guard})" for row in rows)
            raise IllegalTransition(f"{where} while {_shown(rows, known)}; it needs {needed}")
        entry = self._entry.get(row.target, ALWAYS)
        if not entry.holds(known):
            raise IllegalTransition(f"{where}: {row.target!r} is entered only if {entry}")
        return Step(row.target, row.effects, row)

    def next(self, state: str, event: str, facts: Facts | None = None) -> str:
        """The state that `event` leads to from `state`. Raises as `step` does."""
        # Most rows ask for nothing, and a reflector takes one for each object that it sees.
        target = self._direct.get((state, event))
        return self.step(state, event, facts).state if target is None else target

    def allows(self, state: str, event: str, facts: Facts | None = None) -> bool:
        """Whether `step` would return; False for an unknown state as well."""
        try:
            self.step(state, event, facts)
        except IllegalTransition:
            return False
        return True

    def events(self, state: str) -> tuple[str, ...]:
        """The events with a row in `state`, in the order of the table; empty for final and unknown states."""
        return tuple(self._table.get(state, {}))

    def is_final(self, state: str) -> bool:
        """Whether `state` ends a life; False for an unknown state."""
        return state in self.final

    def is_in(self, state: str, group: str) -> bool:
        """Whether `state` is one of the group's, or is itself of that name."""
        return state == group or state in members(group, dict(self.groups))

    def path(self, source: str, target: str) -> tuple[Transition, ...] | None:
        """The rows of a shortest way from one state to another, whatever the facts; None if there is no way."""
        return route(self.rows, source, target)

    def __repr__(self) -> str:
        return f"<Machine {self.name} states={len(self.states)} transitions={len(self.transitions)}>"

    def _rows_for(self, state: str, event: str) -> tuple[Transition, ...]:
        by_event = self._table.get(state)
        if by_event is None:
            raise IllegalTransition(f"{self.name}: the state {state!r} is unknown; known states: {listed(self.states)}")
        rows = by_event.get(event)
        if rows is None:
            allowed = f"allowed: {listed(by_event)}" if by_event else "the state is final"
            raise IllegalTransition(f"{self.name}: the event {event!r} is not allowed in state {state!r}; {allowed}")
        return rows

    def _check_facts(self, rows: tuple[Transition, ...], facts: Facts) -> None:
        domains = dict(self.facts)
        for name in _asked(rows, self._entry):
            if name not in facts:
                raise IllegalTransition(f"{self.name}: the event {rows[0].event!r} needs the fact {name!r}")
            if facts[name] not in domains[name]:
                raise IllegalTransition(
                    f"{self.name}: the fact {name!r} is {facts[name]!r}, expected one of {listed(domains[name])}"
                )


def _asked(rows: Iterable[Transition], entry: Mapping[str, Guard]) -> Iterator[str]:
    for row in rows:
        yield from row.guard.facts
        yield from entry.get(row.target, ALWAYS).facts


def _shown(rows: Iterable[Transition], facts: Facts) -> str:
    names = dict.fromkeys(name for row in rows for name in row.guard.facts)
    return ", ".join(f"{name}={facts[name]}" for name in names)
