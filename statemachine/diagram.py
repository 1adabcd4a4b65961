"""A diagram is drawn from the very table that runs, so it cannot disagree with it.

This module does not know how a diagram is rendered or where it is kept.
"""

from windlass.statemachine.machine import Machine

__all__ = ("mermaid",)


def mermaid(machine: Machine) -> str:
    """Return a Mermaid ``stateDiagram-v2`` of the machine: same machine, same text.

    States get short aliases (``s0`` is the initial one), so any name is drawable; transitions keep the table's order.
    """
    alias = {state: f"s{index}" for index, state in enumerate(machine.states)}
    lines = ["---", f"title: {_quoted(machine.name)}", "---", "stateDiagram-v2"]
    lines += [f'    state "{_escaped(state)}" as {alias[state]}' for state in machine.states]
    lines.append(f"    [*] --> {alias[machine.initial]}")
    lines += [f"    {alias[row.source]} --> {alias[row.target]}: {_escaped(row.event)}" for row in machine.transitions]
    lines += [f"    {alias[state]} --> [*]" for state in machine.states if machine.is_final(state)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    # Mermaid has no backslash escapes: a character that its grammar would take for itself is written as an entity code.
    return "".join(f"#{ord(character)};" if character in '#;:"<>{}\\' else character for character in text)


def _quoted(text: str) -> str:
    # The title sits in YAML front matter, where a single-quoted scalar escapes nothing but the quote itself.
    return "'" + text.replace("'", "''") + "'"
