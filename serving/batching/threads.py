"""As much runs at once as there are threads, and an execution that hangs costs nobody else a thread.

The asyncio side of `pool.py`: it counts what is free, wakes the lanes that wait, and notices what takes too long.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from windlass.serving.batching.pool import Pool, Work

__all__ = ("Customer", "Threads")

T = TypeVar("T")


class Customer(Protocol):
    """Who has something computed."""

    @property
    def patience_seconds(self) -> float:
        """An execution that takes longer hangs."""

    def turn(self) -> None:
        """A thread may be free."""

    def hangs(self) -> None:
        """One of its executions hangs."""

    def recovered(self) -> None:
        """One that hung has ended."""


class Threads:
    """`most` threads, in the order in which their customers come."""

    def __init__(self, most: int) -> None:
        self.busy = 0
        self._most = most
        self._pool = Pool(most, name="windlass-model")
        self._hungry: dict[Customer, None] = {}

    def __repr__(self) -> str:
        return f"<Threads busy={self.busy}/{self._most}>"

    @property
    def free(self) -> int:
        """How many computations would start at once."""
        return self._most - self.busy

    def submit(self, job: Callable[[], T], done: Callable[[T], None], *, customer: Customer) -> None:
        """Run the job in a thread, then `done` on the loop. Only while a thread is free.

        When the job takes longer than the customer's patience, its thread is written off, and the customer is told.
        """
        loop = asyncio.get_running_loop()
        # Busy until the thread is done with it, not until the client is: an abandoned computation still occupies its
        # thread.
        self.busy += 1
        work = Work(job, lambda result: _call_soon(loop, ended, result))
        alarm = loop.call_later(customer.patience_seconds, self._lose, work, customer)

        def ended(result: T) -> None:
            alarm.cancel()
            if work.lost:
                customer.recovered()
            else:
                self.busy -= 1
            done(result)
            self._feed()

        self._pool.submit(work)

    def hungry(self, customer: Customer) -> None:
        """Call the customer's `turn` once a thread is free, after those that asked before it."""
        self._hungry[customer] = None

    def close(self) -> None:
        """Drop what waits; a thread that still computes ends on its own."""
        self._pool.close()

    def _lose(self, work: Work[T], customer: Customer) -> None:
        self._pool.lose(work)
        self.busy -= 1
        customer.hangs()
        self._feed()

    def _feed(self) -> None:
        while self._hungry and self.free:
            customer = next(iter(self._hungry))
            del self._hungry[customer]
            customer.turn()


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[T], None], result: T) -> None:
    # A thread may outlive the loop that asked for it.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, result)
