"""Every request for a prediction is counted exactly once, with its outcome, whoever ends it.

Labels come from known models only.

Metrics (prefix `windlass_serving_`): `requests_total{model,version,protocol,code}`,
`request_duration_seconds{model,version,protocol}`, `requests_in_flight`, `models_loaded`, `models_unavailable`;
`queue_duration_seconds{model,version}` (a request's wait for its execution), `execution_rows{model,version}` and
`execution_duration_seconds{model,version}` (of an execution), `shed_total{model,reason}` (requests given up:
`rejected`, `expired`, `cancelled`, `hanging`), and `queue_requests{model}`, `queue_rows{model}`, `queue_bytes{model}`
(what waits now). What is computed on the loop at once never waits and is in none of the latter.

A client that hung up counts as code 499; a name that is no model's counts under the model "", and a request that no
version was run for under the version "". Of versions that have come and gone the series are kept until there are
`VERSIONS_MAX`. A request with a `traceparent` leaves its trace as an exemplar, which OpenMetrics shows.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from windlass.serving.errors import ServingError
from windlass.serving.telemetry.call import CURRENT

__all__ = ("DURATION_BUCKETS", "QUEUE_BUCKETS", "ROWS_BUCKETS", "VERSIONS_MAX", "Answered", "Metrics")

# 0.8 is there because a goal of "p95 below 800 ms" is exact only on a bucket's edge.
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)
QUEUE_BUCKETS = (0.0001, 0.00025, 0.0005, *DURATION_BUCKETS)
ROWS_BUCKETS = tuple(2.0**exponent for exponent in range(13))
VERSIONS_MAX = 200

_CLIENT_GONE = 499


class Answered(msgspec.Struct, frozen=True):
    """A request that has ended; `version` is "" when none was run."""

    model: str
    version: str
    protocol: str
    code: int
    trace_id: str | None = None


class Metrics:
    """The endpoint's metrics in one registry, its own by default.

    Two endpoints cannot share a registry: the names would collide.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._clock = clock
        self._requests = Counter(
            "windlass_serving_requests",
            "Requests for a prediction.",
            ("model", "version", "protocol", "code"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "windlass_serving_request_duration_seconds",
            "From the request's headers to its answer.",
            ("model", "version", "protocol"),
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self._queued = Histogram(
            "windlass_serving_queue_duration_seconds",
            "A request's wait for its execution to begin.",
            ("model", "version"),
            buckets=QUEUE_BUCKETS,
            registry=self.registry,
        )
        self._rows = Histogram(
            "windlass_serving_execution_rows",
            "Rows computed together.",
            ("model", "version"),
            buckets=ROWS_BUCKETS,
            registry=self.registry,
        )
        self._computed = Histogram(
            "windlass_serving_execution_duration_seconds",
            "An execution, from its beginning to its end.",
            ("model", "version"),
            buckets=QUEUE_BUCKETS,
            registry=self.registry,
        )
        self._shed = Counter("windlass_serving_shed", "Requests given up.", ("model", "reason"), registry=self.registry)
        self._in_flight = 0
        Gauge("windlass_serving_requests_in_flight", "Requests being answered.", registry=self.registry).set_function(
            lambda: self._in_flight
        )
        # labels() costs more than counting does, so each child is looked up once.
        self._counters: dict[tuple[str, str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}
        self._executions: dict[tuple[str, str], _Executions] = {}
        # Versions in the order in which they were first seen.
        self._versions: dict[tuple[str, str], None] = {}

    def watch_models(self, loaded: Callable[[], int], unavailable: Callable[[], int]) -> None:
        """Read these two numbers at each scrape."""
        Gauge("windlass_serving_models_loaded", "Models that serve.", registry=self.registry).set_function(loaded)
        Gauge(
            "windlass_serving_models_unavailable", "Versions found that did not load.", registry=self.registry
        ).set_function(unavailable)

    def watch_queues(self, waiting: Callable[[], Mapping[str, tuple[int, int, int]]]) -> None:
        """Read at each scrape what waits for each model: requests, rows, bytes."""
        self.registry.register(_Queues(waiting))

    def executed(self, model: str, *, rows: int, waited: Sequence[float], version: str = "") -> None:
        """An execution of so many rows begins; its requests have waited for so many seconds."""
        children = self._execution(model, version)
        children.rows.observe(rows)
        for seconds in waited:
            children.queued.observe(seconds)

    def computed(self, model: str, version: str, *, seconds: float) -> None:
        """An execution has ended after so many seconds."""
        self._execution(model, version).computed.observe(seconds)

    def shed(self, model: str, reason: str) -> None:
        """A request was given up: `rejected`, `expired` or `cancelled`."""
        self._shed.labels(model, reason).inc()

    def request(self, model: str, protocol: str) -> "_Counted":
        """A context that counts one request; its code is 200 unless an error passes through."""
        return _Counted(self, model, protocol)

    def began(self) -> float:
        """One more is in flight; the time it began."""
        self._in_flight += 1
        return self._clock()

    def ended(self, model: str, protocol: str, *, code: int, began: float) -> None:
        """One less is in flight; count it, with the version and the trace of the call under way."""
        self._in_flight -= 1
        call = CURRENT.get()
        version, trace_id = ("", None) if call is None else (call.version, call.trace_id)
        self.count(Answered(model, version, protocol, code, trace_id), self._clock() - began)

    def count(self, answered: "Answered", seconds: float) -> None:
        """Count a request that took so long."""
        model, version, protocol = answered.model, answered.version, answered.protocol
        exemplar = None if answered.trace_id is None else {"trace_id": answered.trace_id}
        self._counter(model, version, protocol=protocol, code=answered.code).inc(exemplar=exemplar)
        self._histogram(model, version, protocol=protocol).observe(seconds, exemplar)

    def _counter(self, model: str, version: str, *, protocol: str, code: int) -> Counter:
        key = (model, version, protocol, code)
        child = self._counters.get(key)
        if child is None:
            self._see(model, version)
            child = self._counters[key] = self._requests.labels(model, version, protocol, str(code))
        return child

    def _histogram(self, model: str, version: str, *, protocol: str) -> Histogram:
        key = (model, version, protocol)
        child = self._durations.get(key)
        if child is None:
            self._see(model, version)
            child = self._durations[key] = self._duration.labels(*key)
        return child

    def _execution(self, model: str, version: str) -> "_Executions":
        key = (model, version)
        children = self._executions.get(key)
        if children is None:
            self._see(model, version)
            children = _Executions(*(of.labels(*key) for of in (self._rows, self._queued, self._computed)))
            self._executions[key] = children
        return children

    def _see(self, model: str, version: str) -> None:
        """Forget the versions that were seen first when there are too many; one that still serves begins at 0."""
        self._versions.setdefault((model, version))
        while len(self._versions) > VERSIONS_MAX:
            oldest = next(iter(self._versions))
            del self._versions[oldest]
            for counted in [key for key in self._counters if key[:2] == oldest]:
                del self._counters[counted]
                self._requests.remove(*map(str, counted))
            for timed in [key for key in self._durations if key[:2] == oldest]:
                del self._durations[timed]
                self._duration.remove(*timed)
            if self._executions.pop(oldest, None) is not None:
                for of in (self._rows, self._queued, self._computed):
                    of.remove(*oldest)


@attrs.frozen
class _Executions:
    rows: Histogram
    queued: Histogram
    computed: Histogram


@attrs.frozen
class _Queues(Collector):
    waiting: Callable[[], Mapping[str, tuple[int, int, int]]]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found = self.waiting()
        for index, unit in enumerate(("requests", "rows", "bytes")):
            family = GaugeMetricFamily(
                f"windlass_serving_queue_{unit}", f"{unit.title()} that wait.", labels=("model",)
            )
            for model, counts in found.items():
                family.add_metric((model,), counts[index])
            yield family


class _Counted:
    # A class, because a generator-based context costs each request three times as much.
    __slots__ = ("_began", "_metrics", "_model", "_protocol")

    def __init__(self, metrics: Metrics, model: str, protocol: str) -> None:
        self._metrics, self._model, self._protocol = metrics, model, protocol

    def __enter__(self) -> None:
        self._began = self._metrics.began()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._metrics.ended(self._model, self._protocol, code=_code(error), began=self._began)


def _code(error: BaseException | None) -> int:
    match error:
        case None:
            return 200
        case ServingError():
            return error.status
        case asyncio.CancelledError():
            return _CLIENT_GONE
        case _:
            return 500
