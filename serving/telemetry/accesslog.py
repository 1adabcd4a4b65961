"""A request is one line of JSON, or none: a part of those that succeed, and every one that does not.

The lines go to the logger `windlass.serving.access`, whose handlers are the program's own. Nothing in a line comes
from a body.
"""

import logging
import random
from datetime import UTC, datetime

import attrs
import msgspec

from windlass.serving.telemetry.call import Call

__all__ = ("ACCESS_LOGGER", "AccessLog", "Seen", "line")

ACCESS_LOGGER = "windlass.serving.access"

_TEXT_MAX = 300

_log = logging.getLogger(ACCESS_LOGGER)


@attrs.frozen
class Seen:
    """What the protocol knows of a request that has ended. `status` is HTTP's, or a gRPC code by its name."""

    protocol: str
    method: str
    path: str
    status: int | str
    peer: str | None = None
    agent: str | None = None
    request_bytes: int | None = None
    response_bytes: int | None = None

    @property
    def failed(self) -> bool:
        """Whether it was not answered as asked."""
        return self.status >= 400 if isinstance(self.status, int) else self.status != "OK"


class AccessLog:
    """Writes the share `fraction`, from 0 to 1, of the requests that succeed. `rng` chooses which."""

    def __init__(self, fraction: float, *, rng: random.Random | None = None) -> None:
        self._fraction = fraction
        self._rng = rng if rng is not None else random.Random()  # noqa: S311  (nothing depends on its being unknown)

    def write(self, call: Call, seen: Seen, *, ended: float) -> None:
        """Write the line of a request that ended at `ended` on the loop's clock, or do not."""
        if seen.failed or self._rng.random() < self._fraction:
            _log.info("%s", line(call, seen, ended=ended))


def line(call: Call, seen: Seen, *, ended: float) -> str:
    """The line. What is not known, or was never reached, is left out."""
    found = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "protocol": seen.protocol,
        "method": seen.method,
        "path": seen.path[:_TEXT_MAX],
        "status": seen.status,
        "duration_ms": _milliseconds(call.began, ended),
        "peer": seen.peer,
        "agent": None if seen.agent is None else seen.agent[:_TEXT_MAX],
        "caller": call.caller,
        "model": call.model or None,
        "version": call.version or None,
        "queue_ms": _milliseconds(call.asked, call.executing),
        "execute_ms": _milliseconds(call.executing, call.executed),
        "rows": call.rows or None,
        "request_bytes": seen.request_bytes,
        "response_bytes": seen.response_bytes,
        "trace_id": call.trace_id,
    }
    return msgspec.json.encode({key: value for key, value in found.items() if value is not None}).decode()


def _milliseconds(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 3)
