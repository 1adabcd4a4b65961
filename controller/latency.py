"""Where the time between an event and its status write went: six stages of a run, and each key's last runs (M11).

- `arrival`: from the change in the server to its arrival here, where the object says when it changed: at its creation
  and when its deletion begins. Servers write whole seconds, and their clock is not ours.
- `queue`: from the first wake-up to the run.
- `cache`: waiting for the cache to show what the key's last run wrote.
- `run`: the reconciler itself, its writes left out.
- `write`: its writes, summed, with those that were repeated after a conflict.
- `retry`: from the begin of the first failed run to the begin of this one.

Times are seconds. Memory is bounded: the traces of the KEYS_MAX keys that ran last, RUNS_MAX runs each. Knows no
metrics library, and no clock.
"""

from collections import OrderedDict
from datetime import datetime
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from windlass.controller.histogram import Histogram
from windlass.informers.keys import Key
from windlass.informers.store import Added, Change, Updated

__all__ = ("KEYS_MAX", "RUNS_MAX", "STAGES", "Latency", "Stage", "Trace", "age_of")

Stage: TypeAlias = Literal["arrival", "queue", "cache", "run", "write", "retry"]

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
KEYS_MAX: Final = 512
RUNS_MAX: Final = 4

# Half a millisecond, which is a reconcile that finds nothing to do, to the quarter of an hour of the longest backoff.
_BOUNDS = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1000.0,
)


class Trace(NamedTuple):
    """One run. `time` is that of its end. A stage that did not occur is None."""

    time: datetime
    reconcile_id: str
    reason: str
    attempt: int
    result: str
    writes: int
    arrival: float | None
    queue: float
    cache: float | None
    run: float
    write: float | None
    retry: float | None

    @property
    def seconds(self) -> dict[Stage, float]:
        """The stages that occurred."""
        stages: dict[Stage, float | None] = {
            "arrival": self.arrival,
            "queue": self.queue,
            "cache": self.cache,
            "run": self.run,
            "write": self.write,
            "retry": self.retry,
        }
        return {stage: seconds for stage, seconds in stages.items() if seconds is not None}


class Latency:
    """One controller's report."""

    def __init__(self) -> None:
        self.histograms: dict[Stage, Histogram] = {stage: Histogram(_BOUNDS) for stage in STAGES}
        self._traces: OrderedDict[Key, tuple[Trace, ...]] = OrderedDict()
        # Between a wake-up and its run, and between a failed run and the next.
        self._ages: dict[Key, float] = {}
        self._failing_since: dict[Key, float] = {}

    def arrived(self, key: Key, age_seconds: float) -> None:
        """A change that wakes the key came `age_seconds` after it was made. The first until the key runs counts."""
        self._ages.setdefault(key, max(0.0, age_seconds))

    def begun(self, key: Key, now: float) -> tuple[float | None, float | None]:
        """The key's run begins: its `arrival` and its `retry`."""
        since = self._failing_since.get(key)
        return self._ages.pop(key, None), None if since is None else now - since

    def ended(self, key: Key, trace: Trace, *, retried_from: float | None) -> None:
        """The key's run has ended. `retried_from` is when it had begun, if it is to be tried again."""
        if retried_from is not None:
            self._failing_since.setdefault(key, retried_from)
        elif self._failing_since:
            self._failing_since.pop(key, None)
        stages = trace.arrival, trace.queue, trace.cache, trace.run, trace.write, trace.retry
        for histogram, seconds in zip(self.histograms.values(), stages, strict=True):
            if seconds is not None:
                histogram.observe(seconds)
        runs = self._traces.pop(key, ())
        self._traces[key] = (*runs[1 - RUNS_MAX :], trace)
        if len(self._traces) > KEYS_MAX:
            self._traces.popitem(last=False)

    def runs(self, key: Key) -> tuple[Trace, ...]:
        """The key's last runs, the latest last."""
        return self._traces.get(key, ())

    def latest(self, count: int) -> dict[Key, tuple[Trace, ...]]:
        """The `count` keys that ran last, the latest first, with their runs."""
        return {key: self._traces[key] for key in islice(reversed(self._traces), count)}


class _Meta(msgspec.Struct, rename="camel"):
    creation_timestamp: datetime | None = None


class _Created(msgspec.Struct):
    metadata: _Meta


_CREATED = msgspec.json.Decoder(_Created)


def age_of(change: Change, now: datetime) -> float | None:
    """How many seconds ago the change was made, if the object says so: at a creation, or when a deletion begins."""
    match change:
        case Added(object=obj, initial=False):
            try:
                moment = _CREATED.decode(obj.raw).metadata.creation_timestamp
            except msgspec.ValidationError:
                return None
        case Updated(old=old, new=new) if old.deletion is None:
            moment = new.deletion_timestamp
        case _:
            return None
    if moment is None:
        return None
    # What is asked to end in half a minute, as pods are, carries the time of its end.
    age = (now - moment).total_seconds()
    return age if age >= 0 else None
