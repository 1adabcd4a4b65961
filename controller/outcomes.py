"""What follows from how a run ended: one table, decided before the key is given back, so that no key is lost (C7).

Pure. Whatever ends a run is one of a few outcomes; each calls for one follow-up (C1-C6). That an error came together
with a Result, which elsewhere needs a rule (C2), cannot happen here: a reconciler that raises returns nothing.
"""

from typing import Final, Literal, TypeAlias

import attrs

from windlass.controller.errors import TerminalError
from windlass.controller.request import Result
from windlass.informers.errors import ConnectionFailed, ServerError

__all__ = ("OUTAGE_RETRY_SECONDS_MAX", "Failed", "FollowUp", "Label", "Outcome", "Returned", "TimedOut", "follow_up")

OUTAGE_RETRY_SECONDS_MAX = 30.0
"""How long a key waits at most when the server, not the object, was the trouble. A key's own backoff grows to a quarter
of an hour; when an outage of ten minutes is over, nobody wants to wait as long again. Watches return at this pace."""

Label: TypeAlias = Literal["success", "error", "requeue", "requeue_after"]
"""The values of the metric label `result` (table 1.11)."""


@attrs.frozen
class Returned:
    """The reconciler returned; None is `Result.done()`."""

    result: Result | None = None


@attrs.frozen
class Failed:
    """The reconciler raised."""

    error: BaseException


@attrs.frozen
class TimedOut:
    """The run's own deadline passed (C9)."""

    deadline_seconds: float


Outcome: TypeAlias = Returned | Failed | TimedOut


@attrs.frozen
class FollowUp:
    """What to do with the key, in this order: `forget` its failures, ask for a run `after_seconds`, or `retry`.

    `retry_seconds_max` cuts the backoff of a retry off there.
    """

    label: Label
    forget: bool = False
    after_seconds: float | None = None
    retry: bool = False
    retry_seconds_max: float | None = None


_DONE: Final = FollowUp("success", forget=True)


def follow_up(outcome: Outcome) -> FollowUp:
    """The follow-up of an outcome.

    Success and `Result.after` reset the backoff, `Result.again` and errors do not, and a terminal error leaves it as it
    was (C3-C6).
    """
    match outcome:
        case Returned(result=Result(after_seconds=float() | int() as seconds)):
            return FollowUp("requeue_after", forget=True, after_seconds=seconds)
        case Returned(result=Result(backoff=True)):
            return FollowUp("requeue", retry=True)
        case Returned():
            return _DONE
        case Failed(error=TerminalError()):
            return FollowUp("error")
        case Failed(error=ConnectionFailed() | ServerError()):
            return FollowUp("error", retry=True, retry_seconds_max=OUTAGE_RETRY_SECONDS_MAX)
        case Failed() | TimedOut():
            return FollowUp("error", retry=True)
