"""A tally counts each unit once, and numbers that come in any order give the same mean and variance."""

import attrs

__all__ = ("Moments", "Tally")


@attrs.frozen
class Moments:
    """Count, mean and sum of squared deviations, kept as B. Welford's algorithm does."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def variance(self) -> float:
        """The sample variance; 0 for fewer than two."""
        return self.squares / (self.n - 1) if self.n > 1 else 0.0

    def and_one(self, value: float) -> "Moments":
        """With one value more."""
        n = self.n + 1
        mean = self.mean + (value - self.mean) / n
        return Moments(n, mean, self.squares + (value - self.mean) * (value - mean))


@attrs.frozen
class Tally:
    """One arm: `units` that were assigned, the `samples` among them that were answered, and what their answers were.

    `requests` and `failed` count every request, for the fuse; `failed_in_a_row` is the latest run. `bins` are counts of
    what the samples predicted, for a guardrail of drift.
    """

    units: int = 0
    samples: int = 0
    errors: int = 0
    slow: int = 0
    rewards: Moments = Moments()
    requests: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    bins: tuple[int, ...] = ()
