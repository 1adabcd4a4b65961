"""The tally under the names of the field's conventions, read at the moment of a scrape.

    windlass_training_jobs{phase}                       jobs by phase now
    windlass_training_jobs_ended_total{phase}           jobs that came to an end, by which
    windlass_training_attempts_total                    attempts that were put on record
    windlass_training_resumes_total                     those of them that were not the first of their run
    windlass_training_phase_duration_seconds{phase}     histogram: how long a phase lasted that was left
    windlass_training_gate_verdicts_total{verdict}      verdicts of gates: passed or refused
    windlass_training_gate_checks_total{check,outcome}  results of single checks

Counted is what this process saw happen; with leader election that is the leader. This module counts nothing itself.
"""

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from windlass.informers.cache import Cache
from windlass.informers.objects import Object
from windlass.informers.store import Added, Change, Deleted
from windlass.operators.training.metrics.tally import Seen, Tally, read
from windlass.operators.training.types import TrainingJob

__all__ = ("Meter",)

_NAME = "windlass_training"


class Meter(Collector):
    """Counts what the cache shows of TrainingJobs while it runs: a runnable of the manager, and a collector."""

    name = "training-metrics"

    def __init__(self, cache: Callable[[], Cache]) -> None:
        self.tally = Tally()
        self._cache = cache

    async def run(self) -> None:
        """Count until cancelled; jobs that are there at the beginning are counted by phase alone."""
        registration = self._cache().informer(TrainingJob).add_handler(self._see, name=self.name)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            registration.remove()
            self.tally.jobs = Tally().jobs  # whoever leads now shows them

    def collect(self) -> Iterator[Metric]:
        """Every family, in a fixed order."""
        tally = self.tally
        jobs = GaugeMetricFamily(f"{_NAME}_jobs", "Training jobs by phase.", labels=["phase"])
        for phase, count in tally.jobs.items():
            jobs.add_metric([phase], count)
        yield jobs
        ended = CounterMetricFamily(f"{_NAME}_jobs_ended", "Training jobs that ended, by how.", labels=["phase"])
        for phase, count in tally.ended.items():
            ended.add_metric([phase], count)
        yield ended
        yield CounterMetricFamily(f"{_NAME}_attempts", "Attempts that were put on record.", value=tally.attempts)
        yield CounterMetricFamily(f"{_NAME}_resumes", "Attempts after the first of a run.", value=tally.resumes)
        seconds = HistogramMetricFamily(
            f"{_NAME}_phase_duration_seconds", "Seconds that a phase lasted, by whole seconds.", labels=["phase"]
        )
        for phase, histogram in tally.seconds.items():
            seconds.add_metric([phase], histogram.buckets(), histogram.total)
        yield seconds
        verdicts = CounterMetricFamily(f"{_NAME}_gate_verdicts", "Verdicts of gates.", labels=["verdict"])
        for verdict, count in tally.verdicts.items():
            verdicts.add_metric([verdict], count)
        yield verdicts
        checks = CounterMetricFamily(f"{_NAME}_gate_checks", "Results of checks.", labels=["check", "outcome"])
        for (check, outcome), count in sorted(tally.checks.items()):
            checks.add_metric([check, outcome], count)
        yield checks

    def describe(self) -> list[Metric]:
        """Nothing: the families are only known when collected."""
        return []

    def _see(self, change: Change) -> None:
        match change:
            case Added(found, initial):
                self.tally.appear(_seen(found), before=initial)
            case Deleted(found):
                self.tally.vanish(_seen(found))
            case _ if change.old.uid != change.new.uid:  # deleted and made again, unseen
                self.tally.vanish(_seen(change.old))
                self.tally.appear(_seen(change.new), before=False)
            case _ if change.old.status != change.new.status:
                self.tally.change(_seen(change.old), _seen(change.new))


def _seen(found: Object) -> Seen:
    return read(found.status)
