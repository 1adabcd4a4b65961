"""Counts observations into fixed buckets at the price of one bisection, for paths that run a million times a second.

It exists because the metrics library's own histogram takes a lock for each observation; `windlass.controller.metrics`
hands these counts to that library when someone scrapes. Knows neither names nor labels.
"""

from bisect import bisect_left
from collections.abc import Sequence

__all__ = ("Histogram",)


class Histogram:
    """Cumulative-bucket histogram with the upper bounds given, ascending; +Inf is implied."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        if list(bounds) != sorted(set(bounds)):
            raise ValueError(f"histogram bounds must ascend without repeats, found {list(bounds)!r}")
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """`(upper bound as text, cumulative count)` for each bucket, ending with "+Inf"."""
        rows: list[tuple[str, float]] = []
        seen = 0
        for bound, count in zip([*self._bounds, float("inf")], self._counts, strict=True):
            seen += count
            rows.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(seen)))
        return rows

    def quantile(self, share: float) -> float | None:
        """The upper bound of the bucket in which the smallest `share` (0 to 1) of the observations end.

        None without observations; infinity if that is the last bucket.
        """
        wanted = share * self.count
        seen = 0
        for bound, count in zip([*self._bounds, float("inf")], self._counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return bound
        return None
