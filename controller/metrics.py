"""Controllers' numbers under the names the field's dashboards know (table 1.11), read at the moment of a scrape.

Queues and controllers count in plain integers; this collector turns them into metric families when asked. So counting
costs a hot path one addition, every series exists at zero before the first run (C16), and queues know no metrics
library.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from windlass.controller.controller import Controller
from windlass.controller.histogram import Histogram
from windlass.controller.recorder import Recorder
from windlass.controller.replicas import Replicas
from windlass.controller.watchdog import Watchdog

__all__ = ("ControllerCollector", "ReplicasCollector")

_RUN = "controller_runtime"
_QUEUE = "workqueue"


class ControllerCollector(Collector):
    """Collects `controller_runtime_*` and `workqueue_*` of the controllers that `controllers()` lists."""

    def __init__(
        self,
        controllers: Callable[[], Iterable[Controller]],
        recorder: Recorder,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._controllers = controllers
        self._recorder = recorder
        self._watchdog = watchdog

    def collect(self) -> Iterator[Metric]:
        """Every family, in a fixed order."""
        controllers = list(self._controllers())
        yield from _runs(controllers)
        yield from _queues(controllers)
        yield from _events(self._recorder)
        if self._watchdog is not None:
            yield from _blockages(self._watchdog, controllers)

    def describe(self) -> list[Metric]:
        """Nothing: the families are only known when collected."""
        return []


class ReplicasCollector(Collector):
    """Collects who leads, and how the keys are shared, under the field's names where it has any."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    def collect(self) -> Iterator[Metric]:
        """Every family, in a fixed order."""
        status = GaugeMetricFamily(
            "leader_election_master_status", "1 while this process holds the Lease, 0 otherwise.", labels=["name"]
        )
        slow = CounterMetricFamily(
            "leader_election_slowpath", "Renewals that had to read the Lease first.", labels=["name"]
        )
        shards = self._replicas.shards
        for elector in (self._replicas.elector, None if shards is None else shards.elector):
            if elector is not None:
                status.add_metric([elector.name], 1.0 if elector.leads else 0.0)
                slow.add_metric([elector.name], elector.slow_paths)
        yield status
        yield slow
        if shards is not None:
            members = GaugeMetricFamily("windlass_shard_members", "Members of the newest ring known.", labels=["name"])
            members.add_metric([shards.sharding.name], len(shards.members))
            yield members
            settled = GaugeMetricFamily(
                "windlass_shard_settled", "1 while no key waits for another member's word.", labels=["name"]
            )
            settled.add_metric([shards.sharding.name], 1.0 if shards.settled else 0.0)
            yield settled

    def describe(self) -> list[Metric]:
        """Nothing: the families are only known when collected."""
        return []


def _runs(controllers: list[Controller]) -> Iterator[Metric]:
    results = CounterMetricFamily(f"{_RUN}_reconcile", "Runs by result.", labels=["controller", "result"])
    for one in controllers:
        for result, count in one.statistics.results.items():
            results.add_metric([one.name, result], count)
    yield results
    counters: list[tuple[str, str, Callable[[Controller], float]]] = [
        ("reconcile_errors", "Runs that failed.", lambda one: one.statistics.errors),
        ("terminal_reconcile_errors", "Runs that failed for good.", lambda one: one.statistics.terminal_errors),
        ("reconcile_panics", "Runs that failed by a mistake in the program.", lambda one: one.statistics.panics),
        ("reconcile_timeouts", "Runs that passed their deadline.", lambda one: one.statistics.timeouts),
        ("stale_starts", "Runs begun before the cache showed the last one's writes.", _stale_starts),
    ]
    for name, text, value in counters:
        counter = CounterMetricFamily(f"{_RUN}_{name}", text, labels=["controller"])
        for one in controllers:
            counter.add_metric([one.name], value(one))
        yield counter
    yield _histogram(f"{_RUN}_reconcile_time_seconds", "Seconds a run took.", controllers, _run_seconds)
    yield _latency(controllers)
    workers = GaugeMetricFamily(f"{_RUN}_max_concurrent_reconciles", "Workers.", labels=["controller"])
    active = GaugeMetricFamily(f"{_RUN}_active_workers", "Workers that are running a key.", labels=["controller"])
    for one in controllers:
        workers.add_metric([one.name], one.spec.workers)
        active.add_metric([one.name], one.statistics.active_workers)
    yield workers
    yield active


def _queues(controllers: list[Controller]) -> Iterator[Metric]:
    labels = ["name", "controller"]
    depth = GaugeMetricFamily(f"{_QUEUE}_depth", "Ready keys by priority.", labels=[*labels, "priority"])
    adds = CounterMetricFamily(f"{_QUEUE}_adds", "Keys added, merged ones not counted.", labels=labels)
    retries = CounterMetricFamily(f"{_QUEUE}_retries", "Keys added with a delay.", labels=labels)
    unfinished = GaugeMetricFamily(
        f"{_QUEUE}_unfinished_work_seconds", "Seconds that running keys have run, summed.", labels=labels
    )
    longest = GaugeMetricFamily(
        f"{_QUEUE}_longest_running_processor_seconds", "Seconds that the longest run has taken so far.", labels=labels
    )
    for one in controllers:
        schedule, names = one.queue.schedule, [one.name, one.name]
        for priority, count in schedule.depths().items():
            depth.add_metric([*names, str(priority)], count)
        adds.add_metric(names, schedule.adds)
        retries.add_metric(names, schedule.retries)
        ages = [_now() - started for started in schedule.running.values()]
        unfinished.add_metric(names, sum(ages))
        longest.add_metric(names, max(ages, default=0.0))
    yield from (depth, adds, retries, unfinished, longest)
    yield _histogram(f"{_QUEUE}_queue_duration_seconds", "Seconds from first add to run.", controllers, _queue_seconds)
    yield _histogram(f"{_QUEUE}_work_duration_seconds", "Seconds from run to done.", controllers, _work_seconds)


def _events(recorder: Recorder) -> Iterator[Metric]:
    counter = CounterMetricFamily("windlass_events", "Kubernetes Events by what became of them.", labels=["outcome"])
    counter.add_metric(["recorded"], recorder.recorded)
    counter.add_metric(["dropped"], recorder.dropped)
    counter.add_metric(["refused"], recorder.refused)
    counter.add_metric(["held_back"], recorder.held_back)
    yield counter


def _blockages(watchdog: Watchdog, controllers: list[Controller]) -> Iterator[Metric]:
    text = "Times that the event loop did not turn, by the controller whose run held it."
    counter = CounterMetricFamily("windlass_loop_blocked", text, labels=["controller"])
    for name in dict.fromkeys([*(one.name for one in controllers), "other", *watchdog.counts]):
        counter.add_metric([name], watchdog.counts.get(name, 0))
    yield counter
    family = HistogramMetricFamily("windlass_loop_blocked_seconds", "Seconds that the event loop did not turn.")
    family.add_metric([], watchdog.seconds.buckets(), watchdog.seconds.total)
    yield family


def _histogram(
    name: str, text: str, controllers: list[Controller], of: Callable[[Controller], Histogram]
) -> HistogramMetricFamily:
    labels = ["name", "controller"] if name.startswith(_QUEUE) else ["controller"]
    family = HistogramMetricFamily(name, text, labels=labels)
    for one in controllers:
        histogram = of(one)
        family.add_metric([one.name] * len(labels), histogram.buckets(), histogram.total)
    return family


def _latency(controllers: list[Controller]) -> HistogramMetricFamily:
    text = "Seconds between an event and what came of it, by where they went."
    family = HistogramMetricFamily("windlass_latency_seconds", text, labels=["controller", "stage"])
    for one in controllers:
        for stage, histogram in one.latency.histograms.items():
            family.add_metric([one.name, stage], histogram.buckets(), histogram.total)
    return family


def _run_seconds(one: Controller) -> Histogram:
    return one.statistics.run_seconds


def _queue_seconds(one: Controller) -> Histogram:
    return one.queue.schedule.queue_seconds


def _work_seconds(one: Controller) -> Histogram:
    return one.queue.schedule.work_seconds


def _stale_starts(one: Controller) -> float:
    return one.statistics.stale_starts


def _now() -> float:
    # A scrape from outside the loop's thread (a pushgateway client) finds no keys running.
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0
