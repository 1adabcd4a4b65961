"""A client may ask for less time than the server gives, never for more (DB18).

What a request asks for beside its inputs, from the headers that all HTTP protocols share:
`X-Request-Timeout-Ms`, a whole number of milliseconds, and `X-Request-Priority`, from 0, the default, to 9.
"""

import math
from collections.abc import Mapping

import attrs

from windlass.serving.errors import BadRequest

__all__ = ("PRIORITY_HEADER", "TIMEOUT_HEADER", "Ask", "ask")

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
PRIORITY_HEADER = "X-Request-Priority"

_DIGITS_MAX = 12


@attrs.frozen
class Ask:
    """`deadline` is on the event loop's clock; a higher `priority` counts as arrived earlier."""

    deadline: float = math.inf
    priority: int = 0


def ask(headers: Mapping[str, str], now: float, *, timeout_seconds: float) -> Ask:
    """The wish of a request that came at `now`, whose server gives it `timeout_seconds`.

    Raises BadRequest naming the header that is not understood.
    """
    timeout, priority = headers.get(TIMEOUT_HEADER), headers.get(PRIORITY_HEADER)
    if timeout is not None:
        timeout_seconds = min(timeout_seconds, _number(TIMEOUT_HEADER, timeout, (1, 10**_DIGITS_MAX)) / 1000)
    return Ask(now + timeout_seconds, 0 if priority is None else _number(PRIORITY_HEADER, priority, (0, 9)))


def _number(header: str, text: str, bounds: tuple[int, int]) -> int:
    least, most = bounds
    # isdecimal() alone would take digits of other scripts; int() alone takes signs, spaces and underscores.
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX and least <= int(text) <= most:
        return int(text)
    raise BadRequest(f"{header}: expected a whole number from {least} to {most}, found {text[:40]!r}")
