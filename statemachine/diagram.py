"""A diagram is drawn from the very table that runs, so it cannot disagree with it.

The same machine gives the same text. With `path`, the states that an object has been through, in order, its way stands
out: the states it was in, the one where it is, and on each row when it was taken. This module does not know how a
diagram is rendered or where it is kept; SVG is drawn in `windlass.statemachine.svg`.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import attrs

from windlass.statemachine.machine import Machine
from windlass.statemachine.transitions import Transition, members

__all__ = ("Trail", "any_of", "graphviz", "groups_used", "label", "mermaid")

_TAKEN: Final = "#c2410c"
_BEEN: Final = "#fed7aa"


@attrs.frozen
class Trail:
    """The way of one object through a machine: the states it was in, in order."""

    machine: Machine
    path: Sequence[str]

    def been(self, state: str) -> bool:
        """Whether it was in the state before."""
        return state in self.path

    def here(self, state: str) -> bool:
        """Whether it is in the state now."""
        return bool(self.path) and self.path[-1] == state

    def taken(self, row: Transition) -> tuple[int, ...]:
        """At which of its steps, counted from 1, it may have taken the row; several rows may explain one step."""
        sources = members(row.source, dict(self.machine.groups))
        own = {(one.source, one.event) for one in self.machine.transitions}
        return tuple(
            number
            for number, (before, after) in enumerate(pairwise(self.path), 1)
            if after == row.target and before in sources and (row.source == before or (before, row.event) not in own)
        )


def label(row: Transition, taken: Iterable[int] = ()) -> str:
    """What stands on a row: the steps at which it was taken, the event, its guard, and its effects behind a slash."""
    steps = ", ".join(f"{number}." for number in taken)
    guard = f"[{row.guard}]" if row.guard.terms else ""
    effects = f"/ {', '.join(row.effects)}" if row.effects else ""
    return " ".join(filter(None, (steps, row.event, guard, effects)))


def mermaid(machine: Machine, *, path: Sequence[str] = ()) -> str:
    """A Mermaid `stateDiagram-v2` of the machine.

    States get short aliases (`s0` is the initial one), so any name is drawable; transitions keep the table's order. A
    row of a group starts at a note of the group's states, `g0`, which is drawn as a choice.
    """
    trail = Trail(machine, path)
    alias = {state: f"s{index}" for index, state in enumerate(machine.states)}
    used = groups_used(machine)
    alias |= {group: f"g{index}" for index, group in enumerate(used)}
    lines = ["---", f"title: {_quoted(machine.name)}", "---", "stateDiagram-v2"]
    lines += [f'    state "{_escaped(state)}" as {alias[state]}' for state in machine.states]
    lines += [f'    state "{_escaped(any_of(machine, group))}" as {alias[group]}' for group in used]
    lines.append(f"    [*] --> {alias[machine.initial]}")
    lines += [
        f"    {alias[row.source]} --> {alias[row.target]}: {_escaped(label(row, trail.taken(row)))}"
        for row in machine.transitions
    ]
    lines += [f"    {alias[state]} --> [*]" for state in machine.states if machine.is_final(state)]
    if used:
        lines.append("    classDef group stroke-dasharray: 4 3")
        lines.append(f"    class {','.join(alias[group] for group in used)} group")
    if path:
        been = [alias[state] for state in machine.states if trail.been(state)]
        lines.append(f"    classDef been fill:{_BEEN},stroke:{_TAKEN}")
        lines.append("    classDef here stroke-width:3px")
        lines.append(f"    class {','.join(been)} been")
        lines.append(f"    class {alias[path[-1]]} here")
    return "\n".join(lines) + "\n"


def graphviz(machine: Machine, *, path: Sequence[str] = ()) -> str:
    """A `digraph` in Graphviz's language, for `dot -Tsvg`; groups are dashed boxes from which their rows start."""
    trail = Trail(machine, path)
    used = groups_used(machine)
    lines = [f"digraph {_dot(machine.name)} {{", "  rankdir=TB", '  node [shape=box, style="rounded,filled"]',
             '  node [fillcolor=white, fontname="sans-serif"]', '  edge [fontname="sans-serif", fontsize=10]',
             "  start [shape=point, width=0.15]"]  # fmt: skip
    for state in machine.states:
        marks = ["peripheries=2"] if machine.is_final(state) else []
        marks += [f'fillcolor="{_BEEN}"', f'color="{_TAKEN}"'] if trail.been(state) else []
        marks += ["penwidth=3"] if trail.here(state) else []
        lines.append(f"  {_dot(state)} [{', '.join(marks)}]" if marks else f"  {_dot(state)}")
    lines += [f'  {_dot(group)} [label={_dot(any_of(machine, group))}, style="rounded,dashed"]' for group in used]
    lines.append(f"  start -> {_dot(machine.initial)}")
    for row in machine.transitions:
        taken = trail.taken(row)
        marks = [f"label={_dot(label(row, taken))}", *([f'color="{_TAKEN}"', "penwidth=2"] if taken else [])]
        lines.append(f"  {_dot(row.source)} -> {_dot(row.target)} [{', '.join(marks)}]")
    return "\n".join([*lines, "}"]) + "\n"


def groups_used(machine: Machine) -> list[str]:
    """The groups that rows start from, in their order."""
    return [group for group, _ in machine.groups if any(row.source == group for row in machine.transitions)]


def any_of(machine: Machine, group: str) -> str:
    """What stands in a group's box: its name and its states, or which are not in it where that is shorter."""
    inside = members(group, dict(machine.groups))
    if len(inside) > len(machine.states) // 2:
        left = [state for state in machine.states if state not in inside]
        return f"{group}: any but {', '.join(left)}" if left else f"{group}: any"
    return f"{group}: {', '.join(inside)}"


def _escaped(text: str) -> str:
    # Mermaid has no backslash escapes: a character that its grammar would take for itself is written as an entity code.
    return "".join(f"#{ord(character)};" if character in '#;:"<>{}\\' else character for character in text)


def _quoted(text: str) -> str:
    # The title sits in YAML front matter, where a single-quoted scalar escapes nothing but the quote itself.
    return "'" + text.replace("'", "''") + "'"


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
