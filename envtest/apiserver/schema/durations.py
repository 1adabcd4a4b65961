"""A duration in Go's notation is a whole number of nanoseconds. Pure."""

import re
from decimal import Decimal

__all__ = ("parse_duration",)

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> dict[str, int]:
    """The `seconds` and `nanos` of a duration like `1h30m`, both of its sign."""
    total = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in _PART.findall(text))
    seconds, nanos = divmod(total, 10**9)
    sign = -1 if text.startswith("-") else 1
    return {"seconds": sign * seconds, "nanos": sign * nanos}
