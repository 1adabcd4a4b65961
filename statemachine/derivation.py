"""The state is what the observations say, each time anew; nobody has to have remembered it.

Rules are tried in order, the furthest state first, and the first that is true names the state: an object shows signs of
all that it has been through, and only the last says where it is. This module does not know how observations are made.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from windlass.statemachine.conditions import Conditions
from windlass.statemachine.errors import InvalidMachine
from windlass.statemachine.machine import Machine
from windlass.statemachine.rules import listed

__all__ = ("Derivation", "has_reason", "is_false", "is_true")

O = TypeVar("O")  # noqa: E741  # what was observed


@attrs.frozen(repr=False)
class Derivation(Generic[O]):
    """How the state of `machine` follows from an observation: a predicate for each state but the initial one.

    Raises `InvalidMachine` when a state has no rule or two, or a rule is of an unknown state.
    """

    machine: Machine
    rules: tuple[tuple[str, Callable[[O], bool]], ...]

    def __attrs_post_init__(self) -> None:
        names = [state for state, _ in self.rules]
        problems = [f"{state!r} is no state" for state in names if state not in self.machine.states]
        problems += [f"{state!r} has two rules" for state in dict.fromkeys(names) if names.count(state) > 1]
        missing = [state for state in self.machine.states if state not in (*names, self.machine.initial)]
        problems += [f"no rule says when the state is {listed(missing)}"] if missing else []
        if problems:
            raise InvalidMachine(f"derivation of {self.machine.name!r}: {'; '.join(problems)}")

    def state_of(self, observed: O) -> str:
        """The first state whose rule is true; the initial one if none is."""
        return next((state for state, holds in self.rules if holds(observed)), self.machine.initial)


def is_true(condition: str) -> Callable[[Conditions], bool]:
    """The rule that the condition of that type is True."""
    return lambda conditions: conditions.is_true(condition)


def is_false(condition: str) -> Callable[[Conditions], bool]:
    """The rule that the condition of that type is False: absent is not enough (C-20)."""
    return lambda conditions: conditions.is_false(condition)


def has_reason(condition: str, reason: str) -> Callable[[Conditions], bool]:
    """The rule that the condition is there for that reason, which must be part of the kind's API (C-27)."""

    def holds(conditions: Conditions) -> bool:
        found = conditions.get(condition)
        return found is not None and found.reason == reason

    return holds
