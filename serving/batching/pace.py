"""An execution has as many rows as its latency goal leaves room for, found by trying, and is always allowed one.

The goal is that of a request: the rest of the execution that it finds running, and its own. That is two executions at
worst, so each may take half of the goal. Rows grow while executions leave requests behind and are fast enough: twice as
many until they were too slow for the first time, then one more each time; two in a row that are too slow take a tenth
away. This is additive increase and multiplicative decrease (Chiu and Jain, 1989), with the tenth that Clipper (NSDI
2017, §4.3) uses, because a batch's time follows its rows smoothly. It takes two because a machine that is shared stops
any execution now and then, whatever its rows: where one in twenty was, the rows would settle near twenty.

Time in the queue does not count: beyond the capacity it grows whatever the rows are, and fewer rows make it worse.
"""

from typing import Self

import attrs

from windlass.serving.policy import Batching

__all__ = ("Pace",)

_DECREASE = 0.9


@attrs.frozen
class Pace:
    """What is known of the rows that fit.

    `limit` is the most rows of the next execution, a fraction between 1 and `rows_max`. `probing` until the limit was
    lowered for the first time; `late` when the last execution was too slow.
    """

    execution_seconds_max: float
    rows_max: int
    limit: float = 1.0
    probing: bool = True
    late: bool = False

    @classmethod
    def of(cls, batching: Batching | None) -> Self | None:
        """The beginning; None for a model without a goal."""
        if batching is None or batching.latency_goal_seconds is None:
            return None
        return cls(batching.latency_goal_seconds / 2, batching.rows_max)

    @property
    def rows(self) -> int:
        """The limit as a number of rows."""
        return int(self.limit)

    def after(self, rows: int, seconds: float, *, left_behind: bool) -> Self:
        """What is known after an execution of so many rows.

        `left_behind` when the limit kept a request from joining it; without one there is no reason to allow more.
        """
        if seconds > self.execution_seconds_max:
            if rows > self.limit:  # one request, larger than the limit, by itself: says nothing about the limit
                return self
            if not self.late:
                return attrs.evolve(self, late=True)
            return attrs.evolve(self, limit=max(1.0, self.limit * _DECREASE), probing=False)
        if not left_behind:
            return attrs.evolve(self, late=False) if self.late else self
        reached = max(self.limit, float(rows))
        more = 2 * reached if self.probing else reached + 1
        return attrs.evolve(self, limit=min(float(self.rows_max), more), late=False)
