"""The running parts of a manager, stage by stage: started upwards, stopped downwards, within one deadline for all.

Every part is a task of the group that the manager opened. A part that fails does not take the others down by surprise:
its failure is reported, and whoever listens asks for the orderly stop (M8). This module knows tasks, not what they do.
"""

import asyncio
import enum
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import attrs

__all__ = ("Part", "Parts", "Run", "Stage")

Run: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""What a part does. It is called in the part's task, so that one cancelled before it began leaves nothing behind."""


class Stage(enum.IntEnum):
    """What a part depends on: it is stopped after all higher stages, and started before them (M1).

    One exception: what holds Leases is started last of all, when there is everything to lead with. It is stopped, and
    the Leases are given back, when nothing writes any more (L10), while events are still accepted.
    """

    RECORDER = 1
    LEASE = 2
    CACHE = 3
    RUNNABLE = 4
    CONTROLLER = 5


@attrs.frozen(eq=False)
class Part:
    """One running part. `stop` asks it to end in its own time; without one it is cancelled."""

    name: str
    stage: Stage
    task: "asyncio.Task[None]"
    stop: Callable[[], None] | None


class Parts:
    """Starts parts in a task group and stops them in order."""

    def __init__(self, group: asyncio.TaskGroup, on_failure: Callable[[str, BaseException], None]) -> None:
        self._group = group
        self._on_failure = on_failure
        self._parts: list[Part] = []

    def start(
        self,
        stage: Stage,
        name: str,
        run: Run,
        *,
        stop: Callable[[], None] | None = None,
    ) -> Part:
        """Run `run()` as a part of the stage."""
        task = self._group.create_task(self._guard(name, run), name=name)
        part = Part(name, stage, task, stop)
        self._parts.append(part)
        task.add_done_callback(lambda _: self._parts.remove(part))
        return part

    async def stop(self, grace_seconds: float) -> list[str]:
        """Stop all parts, the highest stage first; returns the names of those that the time did not suffice for.

        With no grace at all everything is cancelled at once and nothing counts as unfinished (M4).
        """
        if grace_seconds <= 0:
            await self.cancel()
            return []
        deadline = asyncio.get_running_loop().time() + grace_seconds
        unfinished: list[str] = []
        for stage in sorted(Stage, reverse=True):
            unfinished += await self._stop_stage(stage, deadline)
        return unfinished

    def abandon(self) -> None:
        """Cancel everything at once, without waiting for it: whoever holds no Lease any more must not go on (M2)."""
        current = asyncio.current_task()
        for part in self._parts:
            if part.task is not current:
                part.task.cancel()

    async def cancel(self) -> None:
        """Cancel what still runs and wait for it."""
        parts = list(self._parts)
        for part in parts:
            part.task.cancel()
        if parts:
            await asyncio.wait([part.task for part in parts])

    def __len__(self) -> int:
        return len(self._parts)

    async def _stop_stage(self, stage: Stage, deadline: float) -> list[str]:
        parts = [part for part in self._parts if part.stage is stage]
        if not parts:
            return []
        for part in parts:
            if part.stop is not None:
                part.stop()
            else:
                part.task.cancel()
        seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        _, pending = await asyncio.wait([part.task for part in parts], timeout=seconds)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
        return [part.name for part in parts if part.task in pending]

    async def _guard(self, name: str, run: Run) -> None:
        try:
            await run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # asked for by stop or cancel (M5)
            self._on_failure(name, RuntimeError(f"{name} was cancelled from within"))
        except BaseExceptionGroup as group:
            self._on_failure(name, _single(group))
        except Exception as error:  # reported, and raised by the manager
            self._on_failure(name, error)


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception in nested groups of one; a group of several stays a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
