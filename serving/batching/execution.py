"""A model runs on the event loop only when it was measured to be faster there than a thread hop is worth.

Everything else runs in a thread.

A hop to a thread costs 60-75 µs, more than a whole small request, so a model that answers within `INLINE_SECONDS` is
cheaper inline; one that takes longer would hold up every other connection and the liveness probe (R1). Which it is,
is measured at warm-up by size of input: see `warmup.py`. What waits for a thread waits in the lane of its model, where
it is bounded and may be put together with others: see `lane.py`.
"""

import asyncio
import weakref
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from windlass.serving.batching.ask import Ask
from windlass.serving.batching.batches import rows, split
from windlass.serving.batching.lane import Lane, compute
from windlass.serving.batching.threads import Threads
from windlass.serving.errors import NotReady
from windlass.serving.metrics import Metrics
from windlass.serving.model import INLINE_SECONDS, LoadedModel, checked, size
from windlass.serving.telemetry.call import CURRENT
from windlass.serving.tensors import Array

__all__ = ("INLINE_SECONDS", "Execution", "at_once", "may_be_at_once")

_UNHURRIED = Ask()


class Execution:
    """Runs models, `threads` executions at once (default 4), shared by all of them in turn.

    Cancelling `run` withdraws work that has not begun; work that has begun ends in its thread and its result is
    dropped (DB21).
    """

    def __init__(self, *, threads: int = 4, metrics: Metrics | None = None) -> None:
        self._threads = Threads(threads)
        self._own_threads: weakref.WeakSet[Threads] = weakref.WeakSet()
        self._metrics = metrics if metrics is not None else Metrics()
        # A lane refers to its model only while it has work, so that a model which was unloaded is let go of.
        self._lanes: WeakKeyDictionary[LoadedModel, Lane] = WeakKeyDictionary()
        self._metrics.watch_queues(self._waiting)

    def __repr__(self) -> str:
        waiting = sum(len(lane.state.queue) for lane in self._lanes.values())
        return f"<Execution in_threads={self._threads.busy} waiting={waiting}>"

    @property
    def free(self) -> int:
        """How many computations of models that share the threads would start at once."""
        return self._threads.free

    async def run(self, model: LoadedModel, inputs: Mapping[str, Array], ask: Ask = _UNHURRIED) -> Mapping[str, Array]:
        """The model's outputs, checked against its description.

        Raises what `Lane.run` raises.
        """
        call = CURRENT.get()
        if call is not None and not call.ask(model, inputs, now=asyncio.get_running_loop().time()):
            # A shadow, or a part of the model that answers: the call is about another one.
            CURRENT.set(None)
            try:
                return await self.run(model, inputs, ask)
            finally:
                CURRENT.set(call)
        outputs = await self._computed(model, inputs, ask)
        if call is not None:
            call.answer(outputs)
        return outputs

    async def _computed(self, model: LoadedModel, inputs: Mapping[str, Array], ask: Ask) -> Mapping[str, Array]:
        if model.composite is not None:
            part = model.composite.run(lambda one, given: self.run(one, given, ask), inputs, deadline=ask.deadline)
            return checked(model, await part)
        outputs = at_once(model, inputs)
        return await self._lane(model).run(model, inputs, ask) if outputs is None else outputs

    def refuse_if_ailing(self, model: LoadedModel) -> None:
        """Raise NotReady when the model is loaded and cannot answer just now, as far as it says so."""
        _refuse_if_ailing(model, self._lanes.get(model))

    def refuse_if_full(self, model: LoadedModel) -> None:
        """Raise Overloaded when the model would accept no request at all (DB15), NotReady when it cannot answer."""
        lane = self._lanes.get(model)
        _refuse_if_ailing(model, lane)
        if lane is not None:
            lane.refuse_if_full()

    def close(self) -> None:
        """Give up waiting work; a thread that still computes ends on its own."""
        for lane in list(self._lanes.values()):
            lane.close()
        for threads in (self._threads, *self._own_threads):
            threads.close()

    def _lane(self, model: LoadedModel) -> Lane:
        lane = self._lanes.get(model)
        if lane is None:
            threads = self._threads
            if model.alone:
                threads = Threads(1)
                self._own_threads.add(threads)
                weakref.finalize(model, threads.close).atexit = False
            lane = self._lanes[model] = Lane(model, threads, metrics=self._metrics)
        return lane

    def _waiting(self) -> dict[str, tuple[int, int, int]]:
        """For each model with a lane, what waits: requests, rows, bytes."""
        waiting: dict[str, tuple[int, int, int]] = {}
        for lane in self._lanes.values():
            state = lane.state
            before = waiting.get(lane.name, (0, 0, 0))
            waiting[lane.name] = (
                before[0] + len(state.queue),
                before[1] + state.queued_rows,
                before[2] + state.queued_bytes,
            )
        return waiting


def may_be_at_once(model: LoadedModel) -> bool:
    """Whether there are inputs, small ones, that the model computes on the loop."""
    return model.inline_elements >= 0 and model.composite is None and (model.policy.batching is None or model.direct)


def at_once(model: LoadedModel, inputs: Mapping[str, Array]) -> Mapping[str, Array] | None:
    """The model's outputs as `run` has them, computed here and now; None when that would hold up the loop."""
    if not may_be_at_once(model) or size(inputs) > model.inline_elements:
        return None
    outputs = compute(model, inputs)
    return outputs if model.policy.batching is None else split(model, outputs, [rows(model, inputs)])[0]


def _refuse_if_ailing(model: LoadedModel, lane: Lane | None) -> None:
    reason = lane.hanging if lane is not None and lane.hanging else model.not_ready_because()
    if reason is not None:
        raise NotReady(f"model {model.name!r} version {model.version}: {reason}")
