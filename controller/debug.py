"""What a controller is doing, as one JSON value: the debug page's entry. It reads, and changes nothing."""

import math
from collections.abc import Mapping
from typing import Any

from windlass.controller.controller import Controller
from windlass.controller.histogram import Histogram
from windlass.controller.latency import Trace
from windlass.informers.keys import Key

__all__ = ("KEYS_MAX", "describe_controller")

KEYS_MAX = 20
"""How many keys a list of the page names at most."""


def describe_controller(controller: Controller, now: float, *, key: Key | None = None) -> dict[str, Any]:
    """Its queue, its workers, its last errors, and where the time went (M11): in all, and in single runs.

    The runs are those of the keys that ran last, or of `key`.
    """
    schedule, statistics, latency = controller.queue.schedule, controller.statistics, controller.latency
    oldest = schedule.oldest()
    requests = {request.key: request for request in controller.runs.values()}
    running = sorted(schedule.running.items(), key=lambda one: one[1])[:KEYS_MAX]
    traces = latency.latest(KEYS_MAX) if key is None else {key: latency.runs(key)}
    return {
        "name": controller.name,
        "ready": controller.is_ready,
        "queue": {
            "ready": len(schedule),
            "by_priority": {str(priority): count for priority, count in schedule.depths().items()},
            "waiting": schedule.waiting,
            "rerun": schedule.held,
            "oldest": None if oldest is None else {"key": str(oldest[0]), "seconds": round(now - oldest[1], 3)},
        },
        "workers": {
            "all": controller.spec.workers,
            "active": statistics.active_workers,
            "running": [
                {
                    "key": str(one),
                    "seconds": round(now - started, 3),
                    "reason": requests[one].reason if one in requests else "waiting for the cache",
                }
                for one, started in running
            ],
        },
        "results": dict(statistics.results),
        "last_errors": [{"time": one.time, "key": one.key, "error": one.error} for one in statistics.last_errors],
        "latency": {stage: _summary(histogram) for stage, histogram in latency.histograms.items()},
        "traces": {str(one): [_describe(trace) for trace in runs] for one, runs in traces.items()},
    }


def _summary(histogram: Histogram) -> Mapping[str, Any]:
    """Quantiles are upper bounds: the bucket is known, not the place in it."""
    count = histogram.count
    return {
        "count": count,
        "mean": round(histogram.total / count, 6) if count else None,
        "p50": _bound(histogram.quantile(0.5)),
        "p99": _bound(histogram.quantile(0.99)),
    }


def _bound(value: float | None) -> float | str | None:
    return "+Inf" if value is not None and math.isinf(value) else value


def _describe(trace: Trace) -> Mapping[str, Any]:
    return {
        "time": trace.time.isoformat(timespec="milliseconds"),
        "reconcile_id": trace.reconcile_id,
        "reason": trace.reason,
        "attempt": trace.attempt,
        "result": trace.result,
        "writes": trace.writes,
        "seconds": {stage: round(seconds, 6) for stage, seconds in trace.seconds.items()},
    }
