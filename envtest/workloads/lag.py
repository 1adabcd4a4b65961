"""A controller that lags sees each change late by the same time, counted from when the change came."""

import asyncio
from collections.abc import Hashable

__all__ = ("Lag",)


class Lag:
    """What came last of each object, and when by the clock of the loop."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Hashable, float]] = {}

    def left(self, uid: str, mark: Hashable, seconds: float) -> float:
        """Seconds until `mark`, which tells one change of the object from the next, is seen; 0 or less: it is."""
        if not seconds:
            return 0.0
        now = asyncio.get_running_loop().time()
        known = self._seen.get(uid)
        if known is None or known[0] != mark:
            known = self._seen[uid] = (mark, now)
        return known[1] + seconds - now
