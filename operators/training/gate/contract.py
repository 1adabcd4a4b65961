"""A check looks at a model and answers once, with numbers; what it cannot answer it raises, and never guesses.

`measure` is called in a thread. It is a function of the subject and the parameters: what it draws, it draws from
`subject.seed`, and it reads no clock but `deadline`. This module does not know what is done with the answer.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.subject import Subject
from windlass.operators.training.gate.types import Outcome

__all__ = ("Check", "Deadline", "Measurement")


@attrs.frozen
class Measurement:
    """What a check found.

    `statistic` is what was compared with `threshold`, over `samples` rows or trials. `details` hold JSON values that
    let somebody else understand the numbers; they go into the evidence, so they must not depend on time or chance.
    """

    outcome: Outcome
    reason: str
    message: str
    statistic: float | None = None
    threshold: float | None = None
    samples: int = 0
    details: Mapping[str, Any] = attrs.field(factory=dict)


class Check(Protocol):
    """What stands behind a name in `checks[].check`.

    A check may say `kinds`, the kinds of subjects that it judges, `("classifier",)` unless it does. A subject of
    another kind it skips, which blocks where it is required.

    It may have `refuse(parameters, hyperparameters)`, too: called before anything is trained, with the hyperparameters
    that are numbers, it raises CheckError for parameters with which it could never answer.
    """

    @property
    def name(self) -> str:
        """The name in the registry."""

    def measure(self, subject: Subject, parameters: Mapping[str, object], deadline: "Deadline") -> Measurement:
        """Look at the model. Raises CheckError when it cannot be told, and so does any other exception count.

        What takes long calls `deadline.check()` now and then, because nobody can end a thread from outside.
        """


class Deadline:
    """When the answer is wanted: `seconds` from now, or as soon as nobody waits for it any more."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends = clock() + seconds
        self._given_up = threading.Event()

    def remaining(self) -> float:
        """Seconds left; 0 when it is over."""
        return 0.0 if self._given_up.is_set() else max(0.0, self._ends - self._clock())

    def check(self) -> None:
        """Go on if there is time. Raises CheckError with the reason TimedOut."""
        if self.remaining() <= 0:
            raise CheckError(f"no answer within {self.seconds:g} s", reason="TimedOut")

    def give_up(self) -> None:
        """Nobody waits any more: the next `check` raises."""
        self._given_up.set()

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.3g} s of {self.seconds:g}>"
