"""A request's trace is the client's, if it sent one, and every request has the same three parts in it.

Here is what the endpoint needs of a tracer; what fulfils it is `otel.py`, which needs the extra `otel`.
"""

from collections.abc import Mapping
from typing import Protocol

from windlass.serving.telemetry.accesslog import Seen
from windlass.serving.telemetry.call import Call

__all__ = ("Tracing",)


class Tracing(Protocol):
    """Begins and ends the spans of requests."""

    def begin(self, call: Call, headers: Mapping[str, str]) -> None:
        """Begin the span of a request with these headers; sets the call's `span` and `trace_id`."""

    def traceparent(self, call: Call) -> str | None:
        """What to answer in the header `traceparent`."""

    def end(self, call: Call, seen: Seen, *, ended: float) -> None:
        """End the span, at `ended` on the loop's clock, and tell its parts."""
