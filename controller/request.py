"""A reconciler gets a key and gives back when it wants to see that key again: `Request` in, `Result` out.

Nothing of the object travels with the request: by the time the key is handed out the object may have changed again,
so a reconciler reads what is true now (level-triggered). This module knows neither queues nor controllers.
"""

import math
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

import attrs

from windlass.informers.keys import Key

if TYPE_CHECKING:
    from windlass.controller.context import Context

__all__ = ("Reconciler", "Request", "Result")


@attrs.frozen
class Request:
    """One run of one key.

    `reason` says what woke the key first ("added", "updated", "owned pods.v1 updated", "retry", "timer", …); it is
    for logs and traces, never for decisions: several reasons merge into one run (Q2). `reconcile_id` is fresh for
    each run, also for a retry (C15).
    """

    key: Key
    reason: str = ""
    reconcile_id: str = ""


@attrs.frozen
class Result:
    """What should happen to the key after a run that did not raise. Made by `done()`, `after()` or `again()`."""

    after_seconds: float | None = None
    backoff: bool = False

    @classmethod
    def done(cls) -> "Result":
        """Run again when an event wakes the key. Resets the backoff. Returning None means the same."""
        return _DONE

    @classmethod
    def after(cls, seconds: float) -> "Result":
        """Run again in `seconds`, or earlier if an event comes; the timer then still fires. Resets the backoff (C3).

        An earlier timer of the same key wins (Q8). Zero or less means at once (Q7).
        """
        if not math.isfinite(seconds):
            raise ValueError(f"Result.after expects a finite number of seconds, found {seconds!r}")
        return cls(after_seconds=seconds)

    @classmethod
    def again(cls) -> "Result":
        """Run again after the key's backoff, without counting an error and without resetting the backoff (C4)."""
        return _AGAIN


_DONE = Result()
_AGAIN = Result(backoff=True)


class Reconciler(Protocol):
    """An async function `(ctx, request) -> Result | None`. To fail is to raise; `TerminalError` is not retried."""

    def __call__(self, ctx: "Context", request: Request, /) -> Awaitable[Result | None]:
        """One run."""
