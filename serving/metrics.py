"""Every request for a prediction is counted exactly once, with its outcome, whoever ends it.

Labels come from known models only.

Metrics (prefix `windlass_serving_`): `requests_total{model,protocol,code}`,
`request_duration_seconds{model,protocol}`, `requests_in_flight`, `models_loaded`, `models_unavailable`;
`queue_duration_seconds{model}` (a request's wait for its execution), `execution_rows{model}` (rows of an execution),
`shed_total{model,reason}` (requests given up: `rejected`, `expired`, `cancelled`, `hanging`), and
`queue_requests{model}`, `queue_rows{model}`, `queue_bytes{model}` (what waits now). What is computed on the loop at
once never waits and is in none of the latter. A client that hung up counts as code 499; a name that is no model's
counts under the model "".
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from windlass.serving.errors import ServingError

__all__ = ("DURATION_BUCKETS", "QUEUE_BUCKETS", "ROWS_BUCKETS", "Metrics")

# 0.8 is there because a goal of "p95 below 800 ms" is exact only on a bucket's edge.
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)
QUEUE_BUCKETS = (0.0001, 0.00025, 0.0005, *DURATION_BUCKETS)
ROWS_BUCKETS = tuple(2.0**exponent for exponent in range(13))

_CLIENT_GONE = 499


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
            ("model", "protocol", "code"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "windlass_serving_request_duration_seconds",
            "From the request's headers to its answer.",
            ("model", "protocol"),
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self._queued = Histogram(
            "windlass_serving_queue_duration_seconds",
            "A request's wait for its execution to begin.",
            ("model",),
            buckets=QUEUE_BUCKETS,
            registry=self.registry,
        )
        self._rows = Histogram(
            "windlass_serving_execution_rows",
            "Rows computed together.",
            ("model",),
            buckets=ROWS_BUCKETS,
            registry=self.registry,
        )
        self._shed = Counter("windlass_serving_shed", "Requests given up.", ("model", "reason"), registry=self.registry)
        self._in_flight = 0
        Gauge("windlass_serving_requests_in_flight", "Requests being answered.", registry=self.registry).set_function(
            lambda: self._in_flight
        )
        # labels() costs more than counting does, so each child is looked up once.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._executions: dict[str, tuple[Histogram, Histogram]] = {}

    def watch_models(self, loaded: Callable[[], int], unavailable: Callable[[], int]) -> None:
        """Read these two numbers at each scrape."""
        Gauge("windlass_serving_models_loaded", "Models that serve.", registry=self.registry).set_function(loaded)
        Gauge(
            "windlass_serving_models_unavailable", "Versions found that did not load.", registry=self.registry
        ).set_function(unavailable)

    def watch_queues(self, waiting: Callable[[], Mapping[str, tuple[int, int, int]]]) -> None:
        """Read at each scrape what waits for each model: requests, rows, bytes."""
        self.registry.register(_Queues(waiting))

    def executed(self, model: str, *, rows: int, waited: Sequence[float]) -> None:
        """An execution of so many rows begins; its requests have waited for so many seconds."""
        size, queued = self._execution(model)
        size.observe(rows)
        for seconds in waited:
            queued.observe(seconds)

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
        """One less is in flight; count it."""
        self._in_flight -= 1
        self._counter(model, protocol, code).inc()
        self._histogram(model, protocol).observe(self._clock() - began)

    def _counter(self, model: str, protocol: str, code: int) -> Counter:
        key = (model, protocol, code)
        child = self._counters.get(key)
        if child is None:
            child = self._counters[key] = self._requests.labels(model, protocol, str(code))
        return child

    def _histogram(self, model: str, protocol: str) -> Histogram:
        key = (model, protocol)
        child = self._durations.get(key)
        if child is None:
            child = self._durations[key] = self._duration.labels(model, protocol)
        return child

    def _execution(self, model: str) -> tuple[Histogram, Histogram]:
        children = self._executions.get(model)
        if children is None:
            children = self._executions[model] = (self._rows.labels(model), self._queued.labels(model))
        return children


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
