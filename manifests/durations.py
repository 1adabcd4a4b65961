"""A ``timedelta`` travels as the text that Go's ``time.Duration`` writes: ``1h30m0s``; reading undoes writing.

Texts may be finer than Python's microseconds; they are rounded.

This module does not know schemas or fields.
"""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from windlass.informers.converter import register_scalar
from windlass.manifests.patterns import as_in_go

__all__ = ("DURATION_PATTERN", "format_duration", "parse_duration")

# What Go reads, with fewer digits, so that every text that a server lets in names a timedelta.
DURATION_PATTERN: Final = r"^-?(0|([0-9]{1,6}(\.[0-9]{1,9})?(ns|us|µs|ms|s|m|h)){1,6})$"
_PART: Final = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_MICROSECONDS: Final = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "ms": Decimal(1000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
}


def format_duration(duration: timedelta) -> str:
    """``timedelta(minutes=90)`` → ``1h30m0s``; fractions of a second are a fraction of the seconds."""
    total = duration // timedelta(microseconds=1)
    seconds, micro = divmod(abs(total), 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{micro:06d}".rstrip("0") if micro else ""
    text = f"{seconds}{fraction}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return f"-{text}" if total < 0 else text


def parse_duration(text: str) -> timedelta:
    """``1h30m``, ``1.5s`` or ``0`` as a timedelta. Raises ValueError, TypeError for what is no text."""
    if not as_in_go(DURATION_PATTERN).search(text):
        raise ValueError(f"expected a duration such as 1h30m or 1.5s, found {text!r}")
    amount = sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in _PART.findall(text))
    return timedelta(microseconds=int(Decimal(amount).to_integral_value()) * (-1 if text.startswith("-") else 1))


def _read(value: Any) -> timedelta:
    return parse_duration(value)


register_scalar(timedelta, read=_read, write=format_duration, noun="a duration such as 1h30m or 1.5s")
