"""Spans of OpenTelemetry: one for a request, and inside it `receive`, `queue` and `execute`, as far as it came.

Attributes have the names of the semantic conventions where these have one; ours begin with `windlass.`. This module
needs the extra `otel` and is imported by whoever turns tracing on, never by the endpoint. Without a provider it takes
the process's own, so an application that has set up OpenTelemetry has nothing to add.
"""

import time
from collections.abc import Mapping

import attrs
from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from windlass.serving.telemetry.accesslog import Seen
from windlass.serving.telemetry.call import Call
from windlass.serving.telemetry.trace import HEADER

__all__ = ("OpenTelemetry",)

_PROPAGATOR = TraceContextTextMapPropagator()


@attrs.frozen(eq=False)
class _Begun:
    span: trace.Span
    token: object
    wall: int


class OpenTelemetry:
    """Tracing by a tracer provider, the process's own by default. Which requests are traced, its sampler says."""

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("windlass.serving", tracer_provider=provider)

    def begin(self, call: Call, headers: Mapping[str, str]) -> None:
        """Begin the span, as a child of the client's; what the request runs on the loop sees it as the current one."""
        carrier = {name: value for name in (HEADER, "tracestate") if (value := headers.get(name)) is not None}
        above = _PROPAGATOR.extract(carrier, context.Context())
        # All times of a request are told from its beginning, so that no adjustment of the clock tears its parts apart.
        wall = time.time_ns()
        span = self._tracer.start_span("request", above, kind=trace.SpanKind.SERVER, start_time=wall)
        call.trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        call.span = _Begun(span, context.attach(trace.set_span_in_context(span, above)), wall)

    def traceparent(self, call: Call) -> str | None:
        """The identity of the request's own span."""
        if not isinstance(call.span, _Begun):
            return None
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(call.span.span, context.Context()))
        return carrier.get(HEADER)

    def end(self, call: Call, seen: Seen, *, ended: float) -> None:
        """End the span and tell its parts."""
        begun = call.span
        if not isinstance(begun, _Begun):
            return
        call.span = None
        context.detach(begun.token)  # type: ignore[arg-type]  # as attach gave it
        span = begun.span
        if not span.is_recording():
            span.end()
            return

        def at(moment: float) -> int:
            return begun.wall + round((moment - call.began) * 1e9)

        span.update_name(f"{seen.method} {call.model}" if call.model else seen.method)
        span.set_attributes(_attributes(call, seen))
        if _server_failed(seen.status):
            span.set_status(trace.StatusCode.ERROR)
        within = trace.set_span_in_context(span, context.Context())
        for name, start, end in (
            ("receive", call.began, call.asked),
            ("queue", call.asked, call.executing),
            ("execute", call.executing, call.executed),
        ):
            if start is not None and end is not None:
                self._tracer.start_span(name, within, start_time=at(start)).end(at(end))
        span.end(at(ended))


def _attributes(call: Call, seen: Seen) -> dict[str, str | int]:
    found: dict[str, str | int] = {"windlass.model": call.model, "windlass.version": call.version}
    if call.rows:
        found["windlass.execution.rows"] = call.rows
    if seen.peer is not None:
        found["client.address"] = seen.peer
    if isinstance(seen.status, int):
        found.update({"http.request.method": seen.method, "url.path": seen.path})
        found["http.response.status_code"] = seen.status
    else:
        found.update({"rpc.system": "grpc", "rpc.method": seen.method, "rpc.grpc.status": seen.status})
    return found


def _server_failed(status: int | str) -> bool:
    # By the conventions a client's mistake is no error of the server's span.
    if isinstance(status, int):
        return status >= 500
    return status in ("INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN")
