"""Every request of a route is counted once under the arm that answered it; names come from the routes alone.

Metrics (prefix `windlass_serving_`): `arm_requests_total{route,arm,code}`, `arm_duration_seconds{route,arm}`,
`arm_assigned_total{route,arm,how}` (`forced`, `matched`, `key`, `request`, `chance`), `arm_fallback_total{route,arm}`
(requests that were due to an arm that was not ready), `arm_weight{route,arm}` in percent, and of the treatment of an
experiment that watches it `arm_prediction_drift{route,arm}` (T13);
`shadow_requests_total{route,shadow,result}` (`answered`, `failed`, `dropped`), `shadow_rows_total{route,shadow,agree}`,
`shadow_difference{route,shadow}` (the largest absolute difference of an answer) and `shadow_in_flight`, which belongs
to what the endpoint has to compute and to none of its latencies (T12).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from windlass.serving.metrics import DURATION_BUCKETS
from windlass.serving.traffic.comparison import Comparison

__all__ = ("DIFFERENCE_BUCKETS", "TrafficMetrics")

DIFFERENCE_BUCKETS = (0.0, *(10.0**exponent for exponent in range(-6, 4)))


class TrafficMetrics:
    """The metrics of routes, in a registry that an endpoint's other metrics are in, too."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"windlass_serving_{name}", about, labels, registry=registry)

        def histogram(name: str, about: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"windlass_serving_{name}", about, labels, buckets=buckets, registry=registry)

        self.registry = registry
        self._requests = counter("arm_requests", "Requests of a route by who answered.", "route", "arm", "code")
        self._assigned = counter("arm_assigned", "Requests by why they got their arm.", "route", "arm", "how")
        self._fallback = counter("arm_fallback", "Requests that were due to an arm that was not ready.", "route", "arm")
        self._shadowed = counter("shadow_requests", "Copies of requests.", "route", "shadow", "result")
        self._rows = counter("shadow_rows", "Rows whose labels are or are not the same.", "route", "shadow", "agree")
        self._duration = histogram(
            "arm_duration_seconds", "As request_duration_seconds.", "route", "arm", buckets=DURATION_BUCKETS
        )
        self._difference = histogram(
            "shadow_difference", "Largest absolute difference.", "route", "shadow", buckets=DIFFERENCE_BUCKETS
        )
        # labels() costs more than counting does, so each child is looked up once.
        self._children: dict[tuple[Any, ...], Any] = {}

    def watch(self, weights: Callable[[], Mapping[str, Mapping[str, int]]], in_flight: Callable[[], int]) -> None:
        """Read at each scrape the weights by route and arm, and the shadows that compute or wait."""
        self.registry.register(_Weights(weights))
        Gauge("windlass_serving_shadow_in_flight", "Copies being answered.", registry=self.registry).set_function(
            in_flight
        )

    def watch_drift(self, drifts: Callable[[], Iterable[tuple[str, str, float]]]) -> None:
        """Read at each scrape how far the predictions of an arm are from its control's: route, arm, index."""
        self.registry.register(_Drifts(drifts))

    def assigned(self, route: str, arm: str, how: str) -> None:
        """A request got its arm."""
        self._count(self._assigned, route, arm, how)

    def fell_back(self, route: str, arm: str) -> None:
        """The arm was not ready, so another answers."""
        self._count(self._fallback, route, arm)

    def ended(self, route: str, arm: str, *, code: int, seconds: float) -> None:
        """A request was answered by the arm."""
        self._count(self._requests, route, arm, str(code))
        self._observe(self._duration, seconds, route, arm)

    def shadowed(self, route: str, shadow: str, result: str) -> None:
        """A copy was answered, failed, or was dropped."""
        self._count(self._shadowed, route, shadow, result)

    def compared(self, route: str, shadow: str, found: Comparison) -> None:
        """An answer of a shadow was compared with the arm's."""
        for rows, word in ((found.agree, "yes"), (found.differ, "no")):
            if rows:
                self._count(self._rows, route, shadow, word, by=rows)
        if found.difference is not None:
            self._observe(self._difference, found.difference, route, shadow)

    def forget(self, route: str, name: str) -> None:
        """An arm or a shadow of this name is no more, so that names which come and go do not pile up."""
        for key in [key for key in self._children if key[1:3] == (route, name)]:
            family, *labels = key
            del self._children[key]
            family.remove(*labels)

    def _count(self, family: Counter, *labels: str, by: float = 1.0) -> None:
        key = (family, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = family.labels(*labels)
        child.inc(by)

    def _observe(self, family: Histogram, value: float, *labels: str) -> None:
        key = (family, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = family.labels(*labels)
        child.observe(value)


@attrs.frozen
class _Weights(Collector):
    weights: Callable[[], Mapping[str, Mapping[str, int]]]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily("windlass_serving_arm_weight", "Percent of the route.", labels=("route", "arm"))
        for route, arms in self.weights().items():
            for arm, weight in arms.items():
                family.add_metric((route, arm), weight)
        yield family


@attrs.frozen
class _Drifts(Collector):
    drifts: Callable[[], Iterable[tuple[str, str, float]]]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "windlass_serving_arm_prediction_drift",
            "Population stability index of an arm's predictions from its control's.",
            labels=("route", "arm"),
        )
        for route, arm, index in self.drifts():
            family.add_metric((route, arm), index)
        yield family
