"""What happened to a controller's runs so far, in numbers that only grow, and the last errors in words (C16)."""

from collections import deque
from typing import Final

import attrs

from windlass.controller.histogram import Histogram

__all__ = ("FailedRun", "Statistics")

# Of controller_runtime_reconcile_time_seconds (table 1.11).
_RUN_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0),
    *(50.0, 60.0),
)
_LAST_ERRORS: Final = 20


@attrs.frozen
class FailedRun:
    """One entry of the debug page's list of errors."""

    time: str
    key: str
    error: str


@attrs.define
class Statistics:
    """What happened so far; all there, at zero, before the first run (C16)."""

    results: dict[str, int] = attrs.field(factory=lambda: {"success": 0, "error": 0, "requeue": 0, "requeue_after": 0})
    errors: int = 0
    terminal_errors: int = 0
    panics: int = 0
    timeouts: int = 0
    stale_starts: int = 0
    active_workers: int = 0
    run_seconds: Histogram = attrs.field(factory=lambda: Histogram(_RUN_BUCKETS))
    last_errors: deque[FailedRun] = attrs.field(factory=lambda: deque(maxlen=_LAST_ERRORS))
