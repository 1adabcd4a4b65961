"""A client may ask for less time than the server gives, never for more (DB18).

What a request asks for beside its inputs: from the headers that all HTTP protocols share, `X-Request-Timeout-Ms`, a
whole number of milliseconds, and `X-Request-Priority`, from 0, the default, to 9; and from the parameters of v2, as
Triton has them, `timeout`, a whole number of microseconds, and `priority`, where 1 is the most urgent and 0 of either
means that nothing was asked for.
"""

import math
from collections.abc import Mapping

import msgspec
import msgspec.structs

from windlass.serving.errors import BadRequest

__all__ = ("PRIORITY_HEADER", "TIMEOUT_HEADER", "Ask", "ask", "with_parameters")

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
PRIORITY_HEADER = "X-Request-Priority"

_DIGITS_MAX = 12
_PRIORITY_MAX = 9
_LARGEST_PARAMETER = 2**63 - 1


class Ask(msgspec.Struct, frozen=True):  # made for each request, and an attrs class takes ten times as long
    """`arrived` and `deadline` are on the event loop's clock; a higher `priority` counts as arrived earlier."""

    deadline: float = math.inf
    priority: int = 0
    arrived: float = 0.0


def ask(headers: Mapping[str, str], now: float, *, timeout_seconds: float) -> Ask:
    """The wish of a request that came at `now`, whose server gives it `timeout_seconds`.

    Raises BadRequest naming the header that is not understood.
    """
    timeout, priority = headers.get(TIMEOUT_HEADER), headers.get(PRIORITY_HEADER)
    if timeout is not None:
        timeout_seconds = min(timeout_seconds, _number(TIMEOUT_HEADER, timeout, (1, 10**_DIGITS_MAX)) / 1000)
    level = 0 if priority is None else _number(PRIORITY_HEADER, priority, (0, _PRIORITY_MAX))
    return Ask(now + timeout_seconds, level, now)


def with_parameters(asked: Ask, parameters: Mapping[str, object]) -> Ask:
    """The same wish, narrowed by the parameters of a v2 request; a priority among them counts before the header's.

    Triton's levels begin at 1, the most urgent; the tenth and all after it are our 0.

    Raises BadRequest naming the parameter that is not understood.
    """
    microseconds, level = parameters.get("timeout"), parameters.get("priority")
    if microseconds is not None:
        within = _parameter("timeout", microseconds, "of microseconds") / 1e6
        if within:
            asked = msgspec.structs.replace(asked, deadline=min(asked.deadline, asked.arrived + within))
    if level is not None:
        counted = _parameter("priority", level, "")
        if counted:
            asked = msgspec.structs.replace(asked, priority=max(0, _PRIORITY_MAX + 1 - counted))
    return asked


def _parameter(name: str, value: object, unit: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_PARAMETER:
        return value
    what = f"a whole number {unit}".rstrip()
    raise BadRequest(f"parameters: {name}: expected {what} from 0 to {_LARGEST_PARAMETER}, found {str(value)[:40]!r}")


def _number(header: str, text: str, bounds: tuple[int, int]) -> int:
    least, most = bounds
    # isdecimal() alone would take digits of other scripts; int() alone takes signs, spaces and underscores.
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX and least <= int(text) <= most:
        return int(text)
    raise BadRequest(f"{header}: expected a whole number from {least} to {most}, found {text[:40]!r}")
