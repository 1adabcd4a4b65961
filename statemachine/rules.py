"""A table either obeys every rule or is refused with all the rules that it breaks, each with the row or state at fault.

- Names are non-empty strings of one line; no group has the name of a state, and a group contains states or groups.
- Guards and entry conditions ask for declared facts and values, and every row can be taken under some facts.
- Rows of one state and event exclude each other: no two of them hold at once.
- Every state can be reached from the initial one.
- A final state has no way out; another has one, and can reach a final state if the machine has any.
- No state of the order can be reached around the one before it.

This module does not know what a step is.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from windlass.statemachine.guards import ALWAYS, Guard
from windlass.statemachine.transitions import Transition, closure

if TYPE_CHECKING:
    from windlass.statemachine.machine import Machine

__all__ = ("faults", "listed")


def faults(machine: "Machine") -> list[str]:
    """Everything that is wrong, in the order of the rules; nothing if the table is a good one."""
    # Names first, then what guards say: later rules would only repeat the trouble in stranger words.
    return (
        [*_name_faults(machine)]
        or [*_group_faults(machine), *_fact_faults(machine)]
        or [*_row_faults(machine), *_graph_faults(machine), *_order_faults(machine)]
    )


def listed(names: Iterable[object]) -> str:
    """Names as messages show them."""
    return ", ".join(repr(name) for name in names)


def _name_faults(machine: "Machine") -> Iterator[str]:
    events = (row.event for row in machine.transitions)
    effects = (effect for row in machine.transitions for effect in row.effects)
    groups = dict(machine.groups)
    # `object`, because a table may be written in a file that no type checker sees.
    names: dict[object, None] = dict.fromkeys(
        [machine.name, *machine.states, *events, *machine.final, *effects, *groups, *dict(machine.facts)]
    )
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name.splitlines()) != 1:
            yield f"{name!r} is not a name: expected a non-empty string of one line"


def _group_faults(machine: "Machine") -> Iterator[str]:
    groups = dict(machine.groups)
    for group, inside in groups.items():
        if not inside:
            yield f"the group {group!r} is empty"
        elif any(group in _groups_in(name, groups) for name in inside):
            yield f"the group {group!r} contains itself"
        for name in inside:
            if name not in groups and name not in machine.states:
                yield f"the group {group!r} contains {name!r}, which is neither a state nor a group"
    for row in machine.transitions:
        if row.target in groups:
            yield f"the transition {row} leads to a group; a target is a state"
    if machine.initial in groups:
        yield f"the initial state {machine.initial!r} is a group"


def _groups_in(name: str, groups: dict[str, tuple[str, ...]]) -> set[str]:
    """The names of all groups in a group, itself included; none for a state."""
    edges = {group: {one for one in inside if one in groups} for group, inside in groups.items()}
    return closure([name], edges) if name in groups else set()


def _fact_faults(machine: "Machine") -> Iterator[str]:
    asked = [(f"the transition {row}", row.guard) for row in machine.transitions]
    asked += [(f"the entry condition of {state!r}", guard) for state, guard in machine.entry]
    domains = dict(machine.facts)
    for name, values in domains.items():
        if len(values) < 2 or len(set(values)) != len(values):
            yield f"the fact {name!r} has the values {listed(values)}: expected at least two, all different"
    for what, guard in asked:
        for name, values in guard.terms:
            if name not in domains:
                yield f"{what} asks for the fact {name!r}, which is not declared"
                continue
            for value in values:
                if value not in domains[name]:
                    yield f"{what} asks for {name}={value}, which is none of its values: {listed(domains[name])}"
    for state, _ in machine.entry:
        if state not in machine.states:
            yield f"the entry condition of {state!r} is of an unknown state"


def _row_faults(machine: "Machine") -> Iterator[str]:
    domains, entry = dict(machine.facts), dict(machine.entry)
    by_event: dict[tuple[str, str], list[Transition]] = {}
    for row in machine.rows:
        by_event.setdefault((row.source, row.event), []).append(row)
        wanted = entry.get(row.target, ALWAYS)
        if (row.guard & wanted).witness(domains) is None:
            why = f": {row.target!r} is entered only if {wanted}" if wanted.terms else ""
            yield f"the transition {row} can never be taken{why}"
    for rows in by_event.values():
        for first, second in combinations(rows, 2):
            if first == second:
                yield f"the transition {second} is written twice; one state and event have one target"
            elif (both := (first.guard & second.guard).witness(domains)) is not None:
                yield f"the transition {second} {_overlap(first, both)}; one state and event have one target"


def _overlap(first: Transition, both: dict[str, bool | str]) -> str:
    if not both:
        return f"contradicts {first}"
    return f"overlaps {first}: both hold when {Guard(tuple((name, (value,)) for name, value in both.items()))}"


def _graph_faults(machine: "Machine") -> Iterator[str]:
    forwards: dict[str, set[str]] = {state: set() for state in machine.states}
    backwards: dict[str, set[str]] = {state: set() for state in machine.states}
    for row in machine.rows:
        forwards[row.source].add(row.target)
        backwards[row.target].add(row.source)
    for state in dict.fromkeys(machine.final):
        if state not in forwards:
            yield f"the final state {state!r} is unknown: no transition leads to it"
        elif forwards[state]:
            yield f"the final state {state!r} has a way out ({listed(machine.events(state))})"
    reachable = closure([machine.initial], forwards)
    finishing = closure([state for state in machine.final if state in backwards], backwards)
    for state in machine.states:
        if state not in reachable:
            yield f"the state {state!r} cannot be reached from {machine.initial!r}"
        elif state not in machine.final and not forwards[state]:
            yield f"the state {state!r} is a dead end: it is not final and has no way out"
        elif machine.final and state not in finishing:
            yield f"the state {state!r} is a trap: no final state can be reached from it"


def _order_faults(machine: "Machine") -> Iterator[str]:
    forwards: dict[str, set[str]] = {state: set() for state in machine.states}
    for row in machine.rows:
        forwards[row.source].add(row.target)
    for state in machine.order:
        if state not in forwards:
            yield f"the order names {state!r}, which is no state"
    for before, after in pairwise(machine.order):
        if after in closure([machine.initial], forwards, without=before):
            doors = [row for row in machine.rows if row.target == after and row.source != before]
            how = f" ({', '.join(map(str, doors))})" if doors else ""
            yield f"the state {after!r} can be reached without {before!r}, which the order puts before it{how}"
