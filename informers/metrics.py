"""Numbers for Prometheus, on a registry that the caller gives; gauges are read when scraped, and cost nothing before.

This module only reads statistics; nothing in the package knows it.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from windlass.informers.informer import Informer, Statistics
from windlass.informers.requests import Request

__all__ = ("CallMetrics", "InformerMetrics")

DURATION_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class CallMetrics:
    """An observer for Client: the rest client's metrics under the names the field knows."""

    def __init__(self, registry: CollectorRegistry, *, host: str) -> None:
        self._host = host
        # The library looks a series up under a lock, and makes texts of its labels, each time.
        self._series: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "rest_client_requests_total",
            "Requests to the API server by status code, method and host.",
            ("code", "method", "host"),
            registry=registry,
        )
        self._seconds = Histogram(
            "rest_client_request_duration_seconds",
            "Seconds from sending a request to the head of its answer, by verb and host.",
            ("verb", "host"),
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._retries = Counter(
            "rest_client_request_retries_total",
            "Requests sent again, by the status code that they were answered with, verb and host.",
            ("code", "verb", "host"),
            registry=registry,
        )

    def called(self, request: Request, code: str, seconds: float) -> None:
        """Count one exchange."""
        series = self._series.get((code, request.method, request.verb))
        if series is None:
            series = (
                self._requests.labels(code, request.method, self._host),
                self._seconds.labels(request.verb, self._host),
            )
            self._series[code, request.method, request.verb] = series
        series[0].inc()
        series[1].observe(seconds)

    def retried(self, request: Request, code: str) -> None:
        """Count one request that is sent again."""
        self._retries.labels(code, request.verb, self._host).inc()


class InformerMetrics(Collector):
    """A collector over whatever informers there are at the time of a scrape."""

    def __init__(self, registry: CollectorRegistry, informers: Callable[[], Iterable[Informer]]) -> None:
        self._informers = informers
        registry.register(self)

    def describe(self) -> list[Metric]:
        """No names in advance: the registry then does not scrape while registering."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One sample a resource: sums over its informers, and of times the longest."""
        rows: dict[str, list[Statistics]] = {}
        for informer in self._informers():
            rows.setdefault(str(informer.resource), []).append(informer.statistics())
        for name, text, read, over in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=("resource",))
            for resource, several in rows.items():
                gauge.add_metric((resource,), over(read(one) for one in several))
            yield gauge
        for name, text, label, read_all in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=("resource", label))
            for resource, several in rows.items():
                totals: dict[str, int] = {}
                for one in several:
                    for value, count in read_all(one).items():
                        totals[value] = totals.get(value, 0) + count
                for value, count in sorted(totals.items()):
                    counter.add_metric((resource, value), count)
            yield counter


_GAUGES: tuple[tuple[str, str, Callable[[Statistics], float], Callable[[Iterable[float]], float]], ...] = (
    ("windlass_informer_objects", "Objects in the copy.", lambda one: one.objects, sum),
    ("windlass_informer_bytes", "Bytes of the objects' texts in the copy.", lambda one: one.bytes_held, sum),
    ("windlass_informer_synced", "Copies that have been complete once.", lambda one: one.synced, sum),
    ("windlass_informer_pending", "Changes that wait for handlers.", lambda one: one.pending, sum),
    (
        "windlass_informer_lag_seconds",
        "Seconds our last awaited write took to come.",
        lambda one: one.lag_seconds or 0.0,
        max,
    ),
    (
        "windlass_informer_last_event_age_seconds",
        "Seconds since the stream last said anything, bookmarks included.",
        lambda one: one.last_event_age_seconds or 0.0,
        max,
    ),
    (
        "windlass_informer_cut_off_seconds",
        "Seconds for which every request has failed; 0 in contact.",
        lambda one: one.cut_off_seconds,
        max,
    ),
)

_COUNTERS: tuple[tuple[str, str, str, Callable[[Statistics], dict[str, int]]], ...] = (
    ("windlass_informer_events", "Changes and bookmarks taken in.", "event", lambda one: dict(one.events)),
    ("windlass_informer_relists", "Lists that had to be repeated, by cause.", "cause", lambda one: dict(one.relists)),
    ("windlass_informer_watch_restarts", "Watches opened again, by cause.", "cause", lambda one: dict(one.rewatches)),
    (
        "windlass_informer_handler_failures",
        "Changes that a handler raised on.",
        "handler",
        lambda one: dict(one.handler_failures),
    ),
    (
        "windlass_informer_read_your_writes",
        "Reads that waited for our own write, that went on without it, and writes that cannot be compared.",
        "result",
        lambda one: {
            "waited": one.barrier_waits,
            "timed_out": one.barrier_timeouts,
            "incomparable": one.barrier_incomparable,
        },
    ),
)
