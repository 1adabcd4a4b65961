"""Contact is lost with the first failure and regained with the first success, however quiet the collection is.

Pure: whoever asks brings the time, in seconds of one monotonic clock.
"""

import attrs

__all__ = ("Complaints", "Contact")

PAUSE_SECONDS_MIN = 30.0
PAUSE_SECONDS_MAX = 300.0


@attrs.define
class Contact:
    """Since when one stream of requests has only failed. Counted from the first failure: silence is no failure."""

    lost_at: float | None = None
    failed_at: float = 0.0

    def made(self) -> None:
        """The server has done what was asked."""
        self.lost_at = None

    def lost(self, now: float) -> None:
        """It has not, or there was no server."""
        if self.lost_at is None:
            self.lost_at = now
        self.failed_at = now

    def seconds_lost(self, now: float) -> float:
        """How long nothing has succeeded; 0.0 in contact."""
        return 0.0 if self.lost_at is None else now - self.lost_at

    def seconds_proved(self) -> float:
        """How long that was at the latest failure: since then nobody has asked, and the server may well be back."""
        return 0.0 if self.lost_at is None else self.failed_at - self.lost_at


@attrs.define
class Complaints:
    """Which of many failures are worth a line: each new one, and one that lasts after pauses of 30 s up to 5 min."""

    text: str = ""
    _next_at: float = 0.0
    _pause_seconds: float = PAUSE_SECONDS_MIN

    def due(self, text: str, now: float) -> bool:
        """Whether to say `text` now."""
        if text != self.text:
            self._pause_seconds = PAUSE_SECONDS_MIN
        elif now < self._next_at:
            return False
        else:
            self._pause_seconds = min(2 * self._pause_seconds, PAUSE_SECONDS_MAX)
        self.text = text
        self._next_at = now + self._pause_seconds
        return True

    def over(self) -> None:
        """All is well: the next failure is a new one."""
        self.text = ""
