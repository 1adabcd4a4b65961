"""A key is ready, held, running or nothing, and never running twice; every timer asked for fires or is made pointless.

This is the work queue's decision half: synchronous, without a clock (`now` is an argument) and without a loop. The
other half, which wakes sleepers, is `windlass.controller.queue`.

Where the field differs we chose what loses nothing:

- A timer stands beside an immediate add: `add_after(k, 1)` then `add(k)` runs k twice (Q9). An event during a run does
  not eat the timer that the run asks for (Q10).
- A key's retry deadline never delays an event: the event runs at once and the deadline stays (scenario 44). A further
  failure while a retry is already pending keeps that retry and counts nothing, so the failure count is the number of
  retries that really were scheduled, however many events came between (Q18).
- `forget` drops the pending retry, and only that: the failure is over. A timer that was asked for stays.
- A lower priority is served later, not never: of four keys taken, one may be the longest waiting of a lower class, once
  it has waited for AGED_SECONDS. So a first list or a resync gets through while changes never stop, and costs them at
  most a quarter of the workers' time.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Literal, NamedTuple, TypeVar

from windlass.controller.histogram import Histogram
from windlass.controller.retries import KEY_BACKOFF, TokenBucket
from windlass.controller.timers import Timers
from windlass.informers.backoff import Backoff

__all__ = ("AGED_SECONDS", "LOW", "NORMAL", "TAKES_PER_AGED", "Item", "Schedule")

K = TypeVar("K", bound=Hashable)

NORMAL = 0
LOW = -100  # objects of an initial list, and resyncs: work that nobody is waiting for (table 1.6)

AGED_SECONDS = 10.0  # what nobody waits for can wait as long as a person would for what they do wait for
TAKES_PER_AGED = 4

# Buckets of both queue histograms: 10 ns to 1000 s by tens (table 1.11).
DURATION_BUCKETS = tuple(float(f"1e{exponent}") for exponent in range(-8, 4))

_CLASSES_KEPT = 16  # empty priority classes kept for reuse


class Item(NamedTuple, Generic[K]):
    """A key in the hands of one worker, from `get` to `done`."""

    key: K
    reason: str
    priority: int
    queued_at: float
    attempt: int


class _Pending:
    """Work for a key that nobody has taken yet. `since` is the first add: later adds do not restart it (Q14)."""

    __slots__ = ("priority", "reason", "since")

    def __init__(self, reason: str, priority: int, since: float) -> None:
        self.reason = reason
        self.priority = priority
        self.since = since


class _Wake(NamedTuple):
    reason: str
    priority: int


class Schedule(Generic[K]):
    """Which key comes next. Every method is one indivisible decision."""

    def __init__(self, *, retry: Backoff = KEY_BACKOFF, bucket: TokenBucket | None = None) -> None:
        self._backoff = retry
        self._bucket = bucket
        # A key with work to do is in exactly one of the two: ready (in its priority's class, oldest first) or, while it
        # runs, held. Held keys are outside the classes, so they block nobody (Q20).
        self._classes: dict[int, OrderedDict[K, _Pending]] = {NORMAL: OrderedDict(), LOW: OrderedDict()}
        self._in_order: list[OrderedDict[K, _Pending]] = []  # the classes' contents, the highest priority first
        self._sort_classes()
        self._ready: dict[K, _Pending] = {}
        self._held: dict[K, _Pending] = {}
        self._running: dict[K, float] = {}
        self._timers: Timers[tuple[Literal["timer", "retry"], K], _Wake] = Timers()
        self._failures: dict[K, int] = {}
        self._takes_since_aged = 0
        self.adds = 0
        self.retries = 0
        self.queue_seconds = Histogram(DURATION_BUCKETS)
        self.work_seconds = Histogram(DURATION_BUCKETS)

    # Adding.

    def add(self, key: K, now: float, *, reason: str = "", priority: int = NORMAL) -> None:
        """Make the key ready, or note that it must run once more after its present run (Q1, Q2)."""
        if key in self._running:
            held = self._held.get(key)
            if held is None:
                self._held[key] = _Pending(reason, priority, now)
                self.adds += 1
            elif priority > held.priority:
                held.priority = priority
            return
        pending = self._ready.get(key)
        if pending is None:
            pending = self._ready[key] = _Pending(reason, priority, now)
            self._class(priority)[key] = pending
            self.adds += 1
        elif priority > pending.priority:  # it rises to the tail of the higher class, and never falls (Q11)
            del self._classes[pending.priority][key]
            pending.priority = priority
            self._class(priority)[key] = pending

    def add_after(self, key: K, seconds: float, now: float, *, reason: str = "timer", priority: int = NORMAL) -> None:
        """Make the key ready in `seconds`. An earlier timer of the key wins (Q8); zero or less is now (Q7)."""
        if seconds <= 0:
            self.add(key, now, reason=reason, priority=priority)
            return
        self.retries += 1
        self._timers.set_earliest(("timer", key), now + seconds, _Wake(reason, priority))

    def retry(
        self,
        key: K,
        now: float,
        *,
        reason: str = "retry",
        priority: int = NORMAL,
        seconds_max: float | None = None,
    ) -> float:
        """Make the key ready after its backoff, at most `seconds_max`; returns the seconds until then."""
        pending = self._timers.deadline(("retry", key))
        if pending is not None:
            return max(0.0, pending - now)
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = self._backoff.floor(failures)
        if seconds_max is not None:
            delay = min(delay, seconds_max)
        if self._bucket is not None:
            delay = max(delay, self._bucket.reserve(now))
        self.retries += 1
        self._timers.set_earliest(("retry", key), now + delay, _Wake(reason, priority))
        return delay

    def forget(self, key: K) -> None:
        """The key's failures are over: its backoff starts anew and its pending retry is dropped (Q16)."""
        if self._failures and self._failures.pop(key, None) is not None:
            self._timers.cancel(("retry", key))

    def failures(self, key: K) -> int:
        """How many retries were scheduled since the key was last forgotten (Q16)."""
        return self._failures.get(key, 0)

    # Taking.

    def take(self, now: float) -> Item[K] | None:
        """The next key, which is then running; None when nothing is ready."""
        if self._timers:
            self.advance(now)
        if not self._ready:
            return None
        ready = self._next_class(now)
        key, pending = ready.popitem(last=False)
        del self._ready[key]
        self._running[key] = now
        self.queue_seconds.observe(now - pending.since)
        attempt = self._failures.get(key, 0) if self._failures else 0
        return Item(key, pending.reason, pending.priority, pending.since, attempt)

    def done(self, key: K, now: float) -> None:
        """The run is over; a key that was added meanwhile becomes ready, at the tail (Q1, Q4)."""
        started = self._running.pop(key, None)
        if started is None:
            raise ValueError(f"done({key}) without get: no worker holds this key")
        self.work_seconds.observe(now - started)
        if self._held and (held := self._held.pop(key, None)) is not None:
            self._ready[key] = held
            self._class(held.priority)[key] = held

    def advance(self, now: float) -> None:
        """Make ready what has become due; it is ordered by when it became due, not by when it was asked for (Q12)."""
        for (_, key), wake in self._timers.pop_due(now):
            self.add(key, now, reason=wake.reason, priority=wake.priority)

    def next_deadline(self) -> float | None:
        """When `advance` should next be called, or None."""
        return self._timers.next_deadline()

    def clear(self) -> None:
        """Drop everything that nobody has taken: ready and held keys, timers, failure counts."""
        for ready in self._classes.values():
            ready.clear()
        self._ready.clear()
        self._held.clear()
        self._timers.clear()
        self._failures.clear()

    def clear_timers(self) -> None:
        """Drop the timers alone."""
        self._timers.clear()

    # Looking.

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def waiting(self) -> int:
        """Timers and retries that are not due yet."""
        return len(self._timers)

    @property
    def held(self) -> int:
        """Keys that run and must run once more."""
        return len(self._held)

    @property
    def running(self) -> dict[K, float]:
        """Running keys and when each began, oldest first. A copy."""
        return dict(self._running)

    @property
    def running_count(self) -> int:
        """How many keys are running."""
        return len(self._running)

    @property
    def failing(self) -> dict[K, int]:
        """Keys that are to be retried, and how often they have been so far. A copy."""
        return dict(self._failures)

    def depths(self) -> dict[int, int]:
        """Ready keys by priority."""
        return {priority: len(ready) for priority, ready in self._classes.items()}

    def oldest(self) -> tuple[K, float] | None:
        """The ready key that has waited longest, and since when."""
        heads = [next(iter(ready.items())) for ready in self._classes.values() if ready]
        if not heads:
            return None
        key, pending = min(heads, key=lambda head: head[1].since)
        return key, pending.since

    def _next_class(self, now: float) -> OrderedDict[K, _Pending]:
        """The class to take from: the highest that has a key, unless it is a lower one's turn. There is a key."""
        self._takes_since_aged += 1
        highest = self._in_order[0]
        if not highest:
            highest = next(ready for ready in self._in_order if ready)
        # Who is not in the highest is in a lower one; mostly nobody is, and then there is nothing to look through.
        if self._takes_since_aged >= TAKES_PER_AGED and len(highest) < len(self._ready):
            aged = self._aged_class(now - AGED_SECONDS)
            if aged is not None:
                self._takes_since_aged = 0
                return aged
        return highest

    def _aged_class(self, since: float) -> OrderedDict[K, _Pending] | None:
        """The class below the highest whose first key has waited longest, if that is since `since` or before."""
        classes = [ready for ready in self._in_order if ready][1:]
        if not classes:
            return None
        oldest = min(classes, key=_head_since)
        return oldest if _head_since(oldest) <= since else None

    def _class(self, priority: int) -> OrderedDict[K, _Pending]:
        ready = self._classes.get(priority)
        if ready is None:
            if len(self._classes) >= _CLASSES_KEPT:
                self._classes = {p: found for p, found in self._classes.items() if found or p in (NORMAL, LOW)}
            ready = self._classes[priority] = OrderedDict()
            self._sort_classes()
        return ready

    def _sort_classes(self) -> None:
        self._in_order = [self._classes[priority] for priority in sorted(self._classes, reverse=True)]


def _head_since(ready: OrderedDict[K, _Pending]) -> float:
    return next(iter(ready.values())).since
