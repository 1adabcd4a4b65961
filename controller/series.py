"""A thing that happens over and over is one Event with a series: begun, refreshed while it goes on, and ended (E7).

Pure, as `windlass.controller.correlation`, whose way is the other one. This is the way of events.k8s.io: the first
occurrence is written, the second writes the series' count of two, those after it are only counted. While the series
goes on its count is written every half hour, and once more when six minutes have passed without an occurrence, which
ends it. So a storm costs the server three writes, and the message that is shown is the first one.

Events are written with `eventTime` and `series`. Older `kubectl describe` shows no age for them.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import attrs

from windlass.controller.correlation import Body, Count, Create, HoldBack, Write, remember, similarity

__all__ = ("FINISH_SECONDS", "REFRESH_SECONDS", "SeriesCorrelator")

# Both as client-go's.
REFRESH_SECONDS = 1800.0
FINISH_SECONDS = 360.0


@attrs.define
class _Series:
    """What was written about one thing. `count` is how often it happened, `written` what the server knows of that."""

    body: dict[str, Any]
    last_at: float
    last_seen: str
    written_at: float
    count: int = 1
    written: int = 1

    def write(self, now: float) -> Count:
        series = {"count": self.count, "lastObservedTime": self.last_seen}
        self.written, self.written_at = self.count, now
        self.body = {**self.body, "series": series}
        return Count(self.body["metadata"]["name"], {"series": series}, self.body)


class SeriesCorrelator:
    """Keeps the series that go on, 4096 at most; the least recent makes room."""

    sweep_seconds: float | None = 30.0  # a series of minutes ends that much later at most

    def __init__(self) -> None:
        self._series: OrderedDict[Hashable, _Series] = OrderedDict()

    def correlate(self, body: Body, now: float) -> Write:
        """What to write for one occurrence: the Event, its series, or nothing."""
        key, seen = similarity(body), _micro_time(body["lastTimestamp"])
        series = self._series.get(key)
        if series is None or now - series.last_at >= FINISH_SECONDS:
            event = {name: value for name, value in body.items() if name not in _COUNTED}
            event |= {"eventTime": seen, "action": body.get("action") or body["reason"]}
            remember(self._series, key, _Series(event, now, seen, now))
            return Create(event)
        remember(self._series, key, series)
        series.count += 1
        series.last_at, series.last_seen = now, seen
        return series.write(now) if series.count == 2 else HoldBack(lost=False)

    def due(self, now: float, *, final: bool = False) -> list[Count]:
        """The last counts of series that have ended, and those of series whose refresh is due."""
        writes: list[Count] = []
        for key, series in list(self._series.items()):
            over = final or now - series.last_at >= FINISH_SECONDS
            if over:
                del self._series[key]
            if series.count > series.written and (over or now - series.written_at >= REFRESH_SECONDS):
                writes.append(series.write(now))
        return writes

    def __len__(self) -> int:
        return len(self._series)


_COUNTED = ("count", "firstTimestamp", "lastTimestamp", "source")


def _micro_time(stamp: str) -> str:
    return f"{stamp.removesuffix('Z')}.000000Z"
