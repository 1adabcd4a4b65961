"""A worker that keeps ending is started again ever more slowly, and one that has lived for long counts as sound again.

Pure: the times are seconds on any one clock.
"""

import attrs

from windlass.serving.policy import Isolation

__all__ = ("Restarts",)


@attrs.frozen
class Restarts:
    """How often in a row the worker ended soon after it began."""

    policy: Isolation
    in_a_row: int = 0

    def after(self, lived_seconds: float) -> "Restarts":
        """The worker ended after so long."""
        return attrs.evolve(self, in_a_row=1 if lived_seconds >= self.policy.backoff_seconds_max else self.in_a_row + 1)

    @property
    def delay_seconds(self) -> float:
        """How long to wait before the next start: nothing after the first end, then twice as long each time."""
        if self.in_a_row <= 1:
            return 0.0
        # An exponent that large would be no number any more.
        doubled = self.policy.backoff_seconds * 2.0 ** min(self.in_a_row - 2, 64)
        return min(doubled, self.policy.backoff_seconds_max)
