"""Delays grow from try to try up to a cap, and jitter keeps a fleet of clients from marching in step.

Pure: the random number generator is the caller's.
"""

import random

import attrs

__all__ = ("Backoff",)


@attrs.frozen
class Backoff:
    """The series of client-go's reflector by default: 0.8 s doubling to 30 s, with jitter up to twice that (R14).

    Raises ValueError for a series that would shrink or not wait at all: it would make a hot loop.
    """

    base_seconds: float = 0.8
    factor: float = 2.0
    cap_seconds: float = 30.0
    jitter: float = 1.0

    def __attrs_post_init__(self) -> None:
        """Check what follows from nothing but the fields."""
        for name, least in (
            ("base_seconds", 0.001),
            ("factor", 1.0),
            ("cap_seconds", self.base_seconds),
            ("jitter", 0.0),
        ):
            if not getattr(self, name) >= least:
                raise ValueError(f"backoff: {name} must be at least {least:g}, found {getattr(self, name)}")

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait before try number `attempt` + 1; `attempt` counts failures from 0 and may be any size."""
        return self.floor(attempt) * (1.0 + self.jitter * rng.random())

    def floor(self, attempt: int) -> float:
        """The delay without jitter."""
        if attempt > 64:  # 2.0 ** 1100 overflows
            return self.cap_seconds
        return float(min(self.cap_seconds, self.base_seconds * self.factor**attempt))
