"""The requests an endpoint works on at once, and the bytes of their bodies, are bounded, whichever models they ask.

What waits for one model is bounded in its lane; this is the bound on everything together, from before the body is
read until the answer is written. Beyond it requests are refused at once (DB15).
"""

from types import TracebackType
from typing import Self

from windlass.serving.errors import Overloaded

__all__ = ("Admission", "Held")


class Admission:
    """Two counters. `requests_max` and `body_bytes_max` are the most of each at once."""

    def __init__(self, *, requests_max: int = 1024, body_bytes_max: int = 1024 * 1024 * 1024) -> None:
        self.requests_max = requests_max
        self.body_bytes_max = body_bytes_max
        self.requests = 0
        self.body_bytes = 0

    def __repr__(self) -> str:
        return (
            f"<Admission requests={self.requests}/{self.requests_max} "
            f"body_bytes={self.body_bytes}/{self.body_bytes_max}>"
        )

    def has_room(self, size: int) -> bool:
        """Whether one more request would be accepted, with a body of so many bytes."""
        return self.requests < self.requests_max and self.body_bytes + size <= self.body_bytes_max

    def request(self) -> "Held":
        """A context that counts one request. Entering it raises Overloaded when there are too many."""
        return Held(self)


class Held:
    """What one request takes up; given back when it ends, however it ends."""

    __slots__ = ("_admission", "_bytes")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._bytes = 0

    def __enter__(self) -> Self:
        admission = self._admission
        if admission.requests >= admission.requests_max:
            raise Overloaded(f"the server answers {admission.requests} requests already")
        admission.requests += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission.requests -= 1
        self._admission.body_bytes -= self._bytes

    def reserve(self, size: int) -> None:
        """The body has at least `size` bytes in all. Raises Overloaded when that is more than there is room for."""
        more = size - self._bytes
        if more <= 0:
            return
        admission = self._admission
        if admission.body_bytes + more > admission.body_bytes_max:
            raise Overloaded(f"bodies of {admission.body_bytes} bytes are in memory already")
        self._bytes += more
        admission.body_bytes += more
