"""What was foreseen to fail becomes a fact like any other; what was not foreseen stays an error."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from windlass.controller.errors import ExecutorNotFound
from windlass.operators.errors import TrainingError
from windlass.operators.training.executors.contract import Fault

__all__ = ("fact_of", "fault_from")

T = TypeVar("T")


def fault_from(error: Exception) -> Fault:
    """The error, as a fact: one of training has its own reason, any other is the executor's."""
    if isinstance(error, TrainingError):
        return Fault(error.reason, str(error), retryable=error.retryable)
    return Fault("ExecutorNotFound" if isinstance(error, ExecutorNotFound) else "ExecutorBroken", str(error))


async def fact_of(work: Callable[[], T]) -> T | Fault:
    """What blocking work came to, off the loop."""
    try:
        return await asyncio.to_thread(work)
    except TrainingError as error:
        return fault_from(error)
