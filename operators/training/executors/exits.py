"""How an attempt ended says whether another may help: by exit code, unless something took the attempt away (A9).

0 is success; 1 to 127 are for good, except 75, by which a trainer asks for another try; from 128 on a signal ended it,
which another try may not meet. What was taken away (evicted, preempted, deleted, with its node) is no fault of the
trainer and counts against no limit. Pure. This module does not know where codes and reasons come from.
"""

from typing import Final, Literal

import attrs

from windlass.operators.training.exitcodes import TRY_AGAIN

__all__ = (
    "DEADLINE_EXCEEDED",
    "DELETED",
    "DISRUPTIONS",
    "EVICTED",
    "FOR_GOOD",
    "INVALID",
    "NODE_LOST",
    "NOT_SUPPORTED",
    "PREEMPTED",
    "STOPPED",
    "Exit",
    "Meaning",
)

EVICTED: Final = "Evicted"
PREEMPTED: Final = "Preempted"
NODE_LOST: Final = "NodeLost"
DELETED: Final = "Deleted"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
NOT_SUPPORTED: Final = "TrainingRuntimeNotSupported"
INVALID: Final = "ValidationFailed"
STOPPED: Final = "Stopped"
DISRUPTIONS: Final = frozenset({EVICTED, PREEMPTED, NODE_LOST, DELETED})
FOR_GOOD: Final = frozenset({DEADLINE_EXCEEDED, NOT_SUPPORTED, INVALID, STOPPED})
"""What another try would only meet again, or what somebody has decided."""

Meaning = Literal["succeeded", "permanent", "retryable", "disrupted"]


@attrs.frozen
class Exit:
    """How an attempt ended, as far as anybody saw: an exit code (None if unknown), and the reason if there is one.

    `reason` is one of DISRUPTIONS or FOR_GOOD, or what the cluster called it (`OOMKilled`); `message` is for
    people.
    """

    code: int | None = None
    reason: str = ""
    message: str = ""

    @property
    def meaning(self) -> Meaning:
        """What follows, unless the job says otherwise."""
        if self.reason in DISRUPTIONS:
            return "disrupted"
        if self.reason in FOR_GOOD:
            return "permanent"
        if self.code is None:
            return "retryable"
        if self.code == 0:
            return "succeeded"
        return "retryable" if self.code == TRY_AGAIN or self.code >= 128 else "permanent"

    def __str__(self) -> str:
        parts = [self.reason] if self.reason else []
        if self.code is not None:
            parts.append(f"exit code {self.code}")
        how = ", ".join(parts) or "for a reason that nobody recorded"
        return f"{how}: {self.message}" if self.message else how
