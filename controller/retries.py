"""How long a failed key waits: base·2ⁿ up to a cap for the key itself (Q15), and optionally a bucket shared by all (Q17).

Pure: `now` is an argument. Who counts as failed is the controller's business.
"""

import attrs

__all__ = ("RetryPolicy", "TokenBucket")

# 2**64 times any base is past any cap; the exponent stops there so that no count of failures can overflow a float.
_EXPONENT_MAX = 64


@attrs.frozen
class RetryPolicy:
    """Backoff of one key: `base_seconds` after the first failure, doubling up to `cap_seconds` (Q15)."""

    base_seconds: float = attrs.field(default=0.005, validator=attrs.validators.gt(0))
    cap_seconds: float = attrs.field(default=1000.0, validator=attrs.validators.gt(0))

    def delay(self, failures: int) -> float:
        """Seconds to wait when there were `failures` failures before this one."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures, _EXPONENT_MAX))


class TokenBucket:
    """A bucket of `burst` tokens refilled at `rate` a second. Taking never fails: it reserves, and says how long to wait.

    With 10/s and a burst of 100 the k-th taker of one instant waits (k−100)/10 s (Q17): 10 000 failing keys stretch
    over 16 minutes. That is why no queue has one unless it is asked for.
    """

    def __init__(self, *, rate: float, burst: int) -> None:
        if rate <= 0 or burst < 1:
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
