"""How long a failed key waits: its own backoff, base·2ⁿ up to a cap (Q15), and, if asked for, a bucket shared by all.

Pure: `now` is an argument. Who counts as failed is the controller's business.
"""

from windlass.informers.backoff import Backoff

__all__ = ("KEY_BACKOFF", "TokenBucket")

KEY_BACKOFF = Backoff(base_seconds=0.005, factor=2.0, cap_seconds=1000.0, jitter=0.0)
"""5 ms, 10 ms, 20 ms … 1000 s, as client-go and controller-runtime (Q15)."""


class TokenBucket:
    """A bucket of `burst` tokens refilled at `rate` a second. Taking reserves, and says how long to wait.

    With 10/s and a burst of 100 the k-th taker of one instant waits (k-100)/10 s (Q17): 10 000 failing keys stretch
    over 16 minutes. That is why no queue has one unless it is asked for.
    """

    def __init__(self, *, rate: float, burst: int) -> None:
        if not (rate > 0 and burst >= 1):
            raise ValueError(f"a token bucket expects rate > 0 and burst >= 1, found rate={rate!r}, burst={burst!r}")
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._updated_at: float | None = None

    def reserve(self, now: float) -> float:
        """Take a token and return the seconds until it is there (0 when it already is)."""
        if self._updated_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._updated_at) * self._rate)
        self._updated_at = now
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)
