"""Each run is judged at most once at a time, away from the reconciler, whose own time is too short for some checks.

A verdict waits here until it is on record. Killed in between, the gate is carried out again, with the same evidence.
This module does not know what a gate does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from windlass.informers.keys import Key
from windlass.operators.errors import TrainingError
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.types import GateStatus

__all__ = ("Deliberating", "Judging")

_AT_ONCE: Final = 2  # checks compute, and so do trainers
_LOG: Final = logging.getLogger(__name__)


@attrs.frozen
class Deliberating:
    """The gate is being carried out, or waits for its turn."""


class Judging:
    """Carries out gates, each in a task of its own; a runnable of the manager. `wake(key)` is called at its end."""

    name = "training-gate"

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake
        self._tasks: dict[
            str, asyncio.Task[None]
        ] = {}  # by run id; both changed only by the methods below, on the loop
        self._found: dict[str, GateStatus | Fault] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ready = asyncio.Event()
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Own the tasks until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._ready.set()
                group.create_task(asyncio.Event().wait(), name="training gate")
        finally:
            self._group = None
            self._ready.clear()

    async def judge(
        self, key: Key, run: str, gate: Callable[[], Awaitable[GateStatus]]
    ) -> GateStatus | Fault | Deliberating:
        """The run's verdict, if there is one; else begin to make it. A fault is told once, and then begun anew."""
        await self._ready.wait()
        found = self._found.get(run)
        if isinstance(found, Fault):
            del self._found[run]
        elif found is None and run not in self._tasks and self._group is not None:
            self._tasks[run] = self._group.create_task(self._carry_out(key, run, gate), name=f"gate of {run}")
        return Deliberating() if found is None else found

    def forget(self, run: str) -> None:
        """End what is done about this run, and drop its verdict. Idempotent."""
        self._found.pop(run, None)
        task = self._tasks.pop(run, None)
        if task is not None:
            task.cancel()

    async def _carry_out(self, key: Key, run: str, gate: Callable[[], Awaitable[GateStatus]]) -> None:
        me = asyncio.current_task()
        try:
            async with self._turn:
                found = await _answer(gate)
        finally:
            # Forgotten meanwhile, and perhaps begun anew: then the place is another task's.
            mine = self._tasks.get(run) is me
            if mine:
                del self._tasks[run]
        if mine:
            self._found[run] = found
            self._wake(key)


async def _answer(gate: Callable[[], Awaitable[GateStatus]]) -> GateStatus | Fault:
    try:
        return await gate()
    except TrainingError as error:
        return Fault(error.reason, str(error), retryable=error.retryable)
    except OSError as error:
        return Fault("EvidenceUnwritable", f"the evidence cannot be kept: {error}", retryable=True)
    except Exception as error:
        # A mistake of ours is a doubt like any other, and must not end the tasks of other jobs.
        _LOG.exception("the gate could not be carried out")
        return Fault("GateBroken", f"{type(error).__name__}: {error}")
