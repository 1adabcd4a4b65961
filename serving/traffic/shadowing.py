"""A shadow costs a request nothing that it could notice: no wait, no error, no thread that the endpoint answers with.

A copy is offered after the arm has answered, and then belongs to nobody: a client that hangs up does not cancel it. It
is dropped when the endpoint is busy or too many copies are under way, never queued without bound and never retried
(T11). Copies are computed in a thread of their own, and so are the comparisons.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import attrs

from windlass.serving.batching.lane import compute
from windlass.serving.errors import ServingError
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import DATATYPES, Array
from windlass.serving.traffic.comparison import Comparison, compare
from windlass.serving.traffic.metrics import TrafficMetrics

__all__ = ("Copy", "Shadows")

_log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class Copy:
    """One request to compute again, and the answer to compare with."""

    route: str
    shadow: str
    model: LoadedModel
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


class Shadows:
    """`in_flight_max` bounds the copies that compute or wait; `busy` says whether the endpoint has no room for them."""

    def __init__(
        self, metrics: TrafficMetrics, *, busy: Callable[[], bool], in_flight_max: int = 8, threads: int = 1
    ) -> None:
        self.in_flight = 0
        self._metrics = metrics
        self._busy = busy
        self._in_flight_max = in_flight_max
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="windlass-shadow")
        self._told: set[tuple[str, str, str]] = set()

    def __repr__(self) -> str:
        return f"<Shadows in_flight={self.in_flight}/{self._in_flight_max}>"

    def offer(self, copy: Copy) -> None:
        """Compute the copy, or drop it."""
        if self.in_flight >= self._in_flight_max or self._busy():
            self._metrics.shadowed(copy.route, copy.shadow, "dropped")
            return
        self.in_flight += 1
        done = asyncio.get_running_loop().run_in_executor(self._pool, _computed, copy)
        done.add_done_callback(partial(self._ended, copy))

    def close(self) -> None:
        """Give up what waits; a copy that computes ends on its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, copy: Copy, done: "asyncio.Future[Comparison]") -> None:
        self.in_flight -= 1
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._metrics.shadowed(copy.route, copy.shadow, "answered")
            self._metrics.compared(copy.route, copy.shadow, done.result())
            return
        self._metrics.shadowed(copy.route, copy.shadow, "failed")
        key = (copy.route, copy.shadow, type(error).__name__)
        if key not in self._told:
            # Once: a shadow that fails fails for every request.
            self._told.add(key)
            _log.warning("shadow %s of %s failed: %s", copy.shadow, copy.route, error)


def _computed(copy: Copy) -> Comparison:
    _fits(copy)
    return compare(copy.outputs, compute(copy.model, copy.inputs))


def _fits(copy: Copy) -> None:
    for spec in copy.model.inputs:
        array = copy.inputs.get(spec.name)
        if (
            array is None
            or array.dtype != DATATYPES[spec.datatype]
            or len(array.shape) != len(spec.shape)
            or any(wanted not in (-1, size) for wanted, size in zip(spec.shape, array.shape, strict=True))
        ):
            raise ServingError(f"it takes an input {spec.name!r}, {spec.datatype} {list(spec.shape)}, unlike the arm")
