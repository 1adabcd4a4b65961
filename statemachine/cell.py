"""A cell holds one immutable snapshot after another, in one order on which all threads agree, and nobody ever waits.

Each snapshot decides who comes after it, once: its successor is the first one that gets into a dictionary under one
key, and `dict.setdefault` with a string is one indivisible operation in CPython, with and without its global lock.
Reading is following the chain to its end. So the cell is linearizable without a lock of its own: no thread that stops,
wherever it stops, keeps another from reading or writing.

Waiters are callbacks, kept with the snapshot that they want to see replaced. Whoever takes one out calls it, and only
one can take it out: each is called exactly once. This module does not know threads or event loops; how they wait is
`windlass.controller.cells`.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import attrs

__all__ = ("Cell", "Snapshot", "Ticket")

T = TypeVar("T")

_NEXT: Final = "next"


@attrs.frozen(eq=False)
class Snapshot(Generic[T]):
    """A value and its version: 0 for the first one, and one more for each that replaced it."""

    version: int
    value: T
    _successor: "dict[str, Snapshot[T]]" = attrs.field(factory=dict, repr=False, init=False)
    _waiters: "dict[Ticket[T], Callable[[Snapshot[T]], object]]" = attrs.field(factory=dict, repr=False, init=False)


@attrs.frozen(eq=False)
class Ticket(Generic[T]):
    """A waiter's place."""

    seen: Snapshot[T] = attrs.field(repr=False)


class Cell(Generic[T]):
    """One value that many threads read, replace on condition, and watch."""

    def __init__(self, value: T) -> None:
        self._hint: Snapshot[T] = Snapshot(0, value)

    def get(self) -> Snapshot[T]:
        """The snapshot that is current at some moment during the call."""
        found = self._hint
        while (following := found._successor.get(_NEXT)) is not None:
            found = following
        # Two threads may set the hint in the wrong order: it then costs a few steps, for the chain is what counts.
        self._hint = found
        return found

    def compare_and_set(self, seen: Snapshot[T], value: T) -> Snapshot[T] | None:
        """Replace `seen` if it still is the current snapshot, and wake who waits for that; None if it is not.

        The new snapshot is returned also when `value` equals the old one: a cell does not compare values.
        """
        mine = Snapshot(seen.version + 1, value)
        if seen._successor.setdefault(_NEXT, mine) is not mine:
            return None
        self._hint = mine
        _wake(seen, mine)
        return mine

    def update(self, change: Callable[[T], T]) -> Snapshot[T]:
        """Make the value `change(value)`, trying again whenever another was faster; `change` must be pure.

        If it returns the very value it was given, nothing is replaced.
        """
        while True:
            seen = self.get()
            value = change(seen.value)
            if value is seen.value:
                return seen
            mine = self.compare_and_set(seen, value)
            if mine is not None:
                return mine

    def on_replaced(self, seen: Snapshot[T], wake: Callable[[Snapshot[T]], object]) -> Ticket[T]:
        """Call `wake` with the snapshot that replaces `seen`, exactly once, in the thread that replaces it.

        If it has been replaced already, the call is made here, before this returns. `wake` must be quick and must not
        raise.
        """
        ticket = Ticket(seen)
        seen._waiters[ticket] = wake
        # Looked at only after the waiter is in its place: whoever replaces the snapshot in between finds it there.
        following = seen._successor.get(_NEXT)
        if following is not None and seen._waiters.pop(ticket, None) is not None:
            wake(following)
        return ticket

    def forget(self, ticket: Ticket[T]) -> bool:
        """Give a place up. False if its callback has been called, or is about to be."""
        return ticket.seen._waiters.pop(ticket, None) is not None

    def __repr__(self) -> str:
        found = self.get()
        return f"<Cell version={found.version} {found.value!r}>"


def _wake(seen: Snapshot[T], following: Snapshot[T]) -> None:
    waiters = seen._waiters
    while waiters:
        try:
            _, wake = waiters.popitem()
        except KeyError:
            return  # the last one has just taken itself out
        wake(following)
