"""How often versions were loaded, failed and were evicted; what a scraper sees of it, and of their memory.

Metrics (prefix `windlass_serving_`): `model_loads_total{model,outcome}` (`ready`, `failed`),
`model_load_seconds_total{model}`, of which `model_warmup_seconds_total{model}`, `model_evictions_total{model}`,
`model_bytes{model,version}`. Labels come from names that were found in the repository, of which a scraper's owner
decides how many there are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import attrs
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ("Counts", "RepositoryMetrics")


@attrs.frozen(eq=False)
class Counts:
    """Counters, by model name."""

    ready: Counter[str] = attrs.field(factory=Counter)
    failed: Counter[str] = attrs.field(factory=Counter)
    evicted: Counter[str] = attrs.field(factory=Counter)
    load_seconds: dict[str, float] = attrs.field(factory=dict)
    warmup_seconds: dict[str, float] = attrs.field(factory=dict)

    def took(self, name: str, *, load: float, warmup: float) -> None:
        """A version became ready in this time."""
        self.ready[name] += 1
        self.load_seconds[name] = self.load_seconds.get(name, 0.0) + load
        self.warmup_seconds[name] = self.warmup_seconds.get(name, 0.0) + warmup


@attrs.frozen(eq=False)
class RepositoryMetrics(Collector):
    """What to register with a registry; read at each scrape."""

    counts: Counts
    sizes: Callable[[], Mapping[tuple[str, str], int]]

    def collect(self) -> Iterable[Metric]:
        """The families, see above."""
        loads = CounterMetricFamily("windlass_serving_model_loads", "Loads that ended.", labels=("model", "outcome"))
        for outcome, counter in (("ready", self.counts.ready), ("failed", self.counts.failed)):
            for model, count in counter.items():
                loads.add_metric((model, outcome), count)
        yield loads
        for name, help_text, values in (
            ("model_load_seconds", "Time until versions were ready.", self.counts.load_seconds),
            ("model_warmup_seconds", "The part of it that warm-up took.", self.counts.warmup_seconds),
            ("model_evictions", "Versions that made room for others.", self.counts.evicted),
        ):
            family = CounterMetricFamily(f"windlass_serving_{name}", help_text, labels=("model",))
            for model, value in values.items():
                family.add_metric((model,), value)
            yield family
        sizes = GaugeMetricFamily("windlass_serving_model_bytes", "Memory of models.", labels=("model", "version"))
        for (model, version), size in self.sizes().items():
            sizes.add_metric((model, version), size)
        yield sizes
