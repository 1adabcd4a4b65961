"""What a process needs is a sum of straight lines: so much an object, so much an event, so much a write.

The lines of memory and of lists are fitted to the points up to `FITTED_TO` objects, relative errors counting alike, so
that the larger points show whether they hold beyond. What an event costs has two parts: every replica decodes it and
keeps it, and the one that the key belongs to runs its reconciler. They are told apart by the shares of a ring of one
member and of the largest measured; the rings between show whether that holds.
"""

from collections.abc import Iterable, Sequence

import attrs
import numpy as np
from scaled.points import Point

FITTED_TO = 250_000


@attrs.frozen
class Line:
    """`at(objects)` is the value there."""

    base: float
    slope: float

    def at(self, objects: float) -> float:
        return self.base + self.slope * objects

    def reaches(self, value: float) -> float:
        """The objects at which the line comes to `value`."""
        return (value - self.base) / self.slope


@attrs.frozen
class Model:
    """Lines over the number of objects, in MB and CPU seconds, and CPU microseconds an event and a write."""

    settled_mb: Line
    peak_mb: Line
    relist_peak_mb: Line
    sync_cpu_s: Line
    runs_cpu_s: Line
    relist_cpu_s: Line
    watch_us: float
    run_us: float
    write_us: float

    def event_us(self, replicas: int) -> float:
        """What an event costs one of so many replicas, on average."""
        return self.watch_us + self.run_us / replicas

    def events_a_second(self, replicas: int) -> float:
        """At which every one of so many replicas has no CPU left."""
        return 1e6 / self.event_us(replicas)


LINES = tuple(field.name for field in attrs.fields(Model) if field.name.endswith(("_mb", "_s")))


def fitted(points: Sequence[Point]) -> Model:
    """Raises ValueError when fewer than two points are small enough."""
    base = [point for point in points if point.objects <= FITTED_TO]
    if len({point.objects for point in base}) < 2:
        raise ValueError(f"expected at least two sizes up to {FITTED_TO}, found {len(base)}")
    lines = {name: _line([(point.objects, getattr(point, name)) for point in base]) for name in LINES}
    alone, least = (_mean(point.shard_event_us[members] for point in points) for members in _ends(points))
    most = max(map(int, points[0].shard_event_us))
    run_us = (alone - least) / (1 - 1 / most)
    return Model(**lines, watch_us=alone - run_us, run_us=run_us, write_us=_mean(point.write_us for point in points))


def _ends(points: Sequence[Point]) -> tuple[str, str]:
    members = sorted(points[0].shard_event_us, key=int)
    return members[0], members[-1]


def _line(values: Sequence[tuple[float, float]]) -> Line:
    x, y = np.array(values, float).T
    slope, base = np.polyfit(x, y, 1, w=1 / y)
    return Line(float(base), float(slope))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
