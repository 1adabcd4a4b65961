"""Every state that can be reached is looked at once, nearest first, so the first fault found has the shortest story.

A model is what can happen: where things start, and what each state can become. `explore` walks it breadth first, holds
every step against the invariants, and at the end asks of each state whether a finished one can still be reached from
it. A trace leads from the start to the fault by the labels of the moves.

This module does not know what a state is, only that equal ones are the same one.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

import attrs

from windlass.statemachine.errors import ModelViolation
from windlass.statemachine.guards import assignments
from windlass.statemachine.machine import Machine

__all__ = ("Invariant", "Model", "Report", "Violation", "explore", "invariants", "table_model")

S = TypeVar("S", bound=Hashable)

_STATES_MAX = 200_000


@attrs.frozen
class Invariant(Generic[S]):
    """What must hold of each move. `broken(before, after)` says what is wrong, or None.

    It is also asked of each state that a life can begin in, with that state as both.
    """

    name: str
    broken: Callable[[S, S], str | None]


@attrs.frozen
class Model(Generic[S]):
    """What can happen. `moves` gives, for a state, labels and the states they lead to, always in the same order.

    With `finished`, every state must be able to reach one of which that is true. `show` is how a trace prints a state.
    """

    name: str
    initial: tuple[S, ...]
    moves: Callable[[S], Iterable[tuple[str, S]]]
    invariants: tuple[Invariant[S], ...] = ()
    finished: Callable[[S], bool] | None = None
    show: Callable[[S], str] = str


@attrs.frozen
class Violation(Generic[S]):
    """A fault and the shortest way to it: pairs of a label and the state it led to, the first label empty."""

    model: str
    invariant: str
    message: str
    trace: tuple[tuple[str, S], ...]
    show: Callable[[S], str] = attrs.field(default=str, repr=False, eq=False)

    def __str__(self) -> str:
        lines = [f"{self.model}: {self.invariant}: {self.message}"]
        for number, (label, state) in enumerate(self.trace):
            lines.append(f"  {number:>3}  {label or 'start':<40}  {self.show(state)}")
        return "\n".join(lines)


@attrs.frozen
class Report(Generic[S]):
    """What was looked at. `complete`: nothing was left out for want of `states_max`; `depth` is in moves."""

    model: str
    reached: frozenset[S] = attrs.field(repr=False)
    moves: int
    depth: int
    complete: bool
    violation: Violation[S] | None = None

    def require(self) -> "Report[S]":
        """Itself. Raises ModelViolation with the trace if there is one, or if states were left out."""
        if self.violation is not None:
            raise ModelViolation(str(self.violation))
        if not self.complete:
            raise ModelViolation(f"{self.model}: only {len(self.reached)} states were looked at, and there are more")
        return self


@attrs.define
class _Search(Generic[S]):
    model: Model[S]
    parents: dict[S, tuple[S, str] | None] = attrs.field(factory=dict)
    backwards: dict[S, list[S]] = attrs.field(factory=dict)
    moves: int = 0

    def trace(self, state: S) -> tuple[tuple[str, S], ...]:
        steps: list[tuple[str, S]] = []
        here: S = state
        while (parent := self.parents[here]) is not None:
            steps.append((parent[1], here))
            here = parent[0]
        return (("", here), *reversed(steps))

    def violation(self, state: S, invariant: str, message: str) -> Violation[S]:
        return Violation(self.model.name, invariant, message, self.trace(state), self.model.show)

    def broken(self, before: S, after: S) -> tuple[str, str] | None:
        for invariant in self.model.invariants:
            if (message := invariant.broken(before, after)) is not None:
                return invariant.name, message
        return None

    def trapped(self) -> S | None:
        """The state nearest to the start from which nothing finished can be reached; None if there is none."""
        finished = self.model.finished
        if finished is None:
            return None
        frontier = [state for state in self.parents if finished(state)]
        able = set(frontier)
        while frontier:
            fresh = [state for state in self.backwards.get(frontier.pop(), ()) if state not in able]
            able.update(fresh)
            frontier.extend(fresh)
        return next((state for state in self.parents if state not in able), None)


def explore(model: Model[S], *, states_max: int = _STATES_MAX) -> Report[S]:
    """Look at every state that can be reached, up to `states_max` of them, or as far as the first fault.

    Whether all can finish is asked only when everything was looked at.
    """
    search = _Search(model)
    depths: dict[S, int] = {}

    def report(violation: Violation[S] | None, *, complete: bool) -> Report[S]:
        depth = max(depths.values(), default=0)
        return Report(model.name, frozenset(depths), search.moves, depth, complete, violation)

    queue: deque[S] = deque()
    for state in model.initial:
        search.parents[state] = None
        depths[state] = 0
        queue.append(state)
        if (fault := search.broken(state, state)) is not None:
            return report(search.violation(state, *fault), complete=False)
    while queue:
        before = queue.popleft()
        for label, after in model.moves(before):
            search.moves += 1
            search.backwards.setdefault(after, []).append(before)
            if (fault := search.broken(before, after)) is not None:
                # The move may lead to where another way has led already: the trace is of this one.
                before_it = search.trace(before)
                message = Violation(model.name, *fault, (*before_it, (label, after)), model.show)
                return report(message, complete=False)
            if after not in depths:
                if len(depths) == states_max:
                    return report(None, complete=False)
                search.parents[after] = (before, label)
                depths[after] = depths[before] + 1
                queue.append(after)
    trapped = search.trapped()
    if trapped is None:
        return report(None, complete=True)
    return report(search.violation(trapped, "can finish", "nothing that ends can be reached from here"), complete=True)


def table_model(machine: Machine) -> Model[str]:
    """The machine by itself: every event under all facts. Its invariants are what the table says about itself."""

    def moves(state: str) -> Iterator[tuple[str, str]]:
        for event in machine.events(state):
            for facts in assignments(dict(machine.facts)):
                if machine.allows(state, event, facts):
                    yield event, machine.next(state, event, facts)

    return Model(
        machine.name,
        (machine.initial,),
        moves,
        invariants=invariants(machine, lambda state: state),
        finished=machine.is_final if machine.final else None,
    )


def invariants(machine: Machine, state_of: Callable[[S], str]) -> tuple[Invariant[S], ...]:
    """What the table demands of anything that claims to follow it; `state_of` reads the state off a world.

    "terminal stays terminal": no move leaves a final state. "no skipped state": each change is one row.
    """

    def left(before: S, after: S) -> str | None:
        old, new = state_of(before), state_of(after)
        if machine.is_final(old) and new != old:
            return f"{old!r} is final, and became {new!r}"
        return None

    def skipped(before: S, after: S) -> str | None:
        old, new = state_of(before), state_of(after)
        if old == new or any(row.source == old and row.target == new for row in machine.rows):
            return None
        return f"{old!r} became {new!r} {_instead(machine, old, new)}"

    return Invariant("terminal stays terminal", left), Invariant("no skipped state", skipped)


def _instead(machine: Machine, old: str, new: str) -> str:
    way = machine.path(old, new) if old in machine.states else None
    if way is None:
        return "and no way leads there"
    return f"without {', '.join(repr(row.target) for row in way[:-1])}"
