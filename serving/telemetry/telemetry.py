"""Each request is begun once and ended once, whatever becomes of it, and what is turned off costs it nothing.

The one place that knows what is turned on; the protocols call `begin` and `end`.
"""

import asyncio
from collections.abc import Mapping

import attrs
from prometheus_client import CollectorRegistry

from windlass.serving.errors import EndpointError
from windlass.serving.telemetry.accesslog import AccessLog, Seen
from windlass.serving.telemetry.call import CURRENT, Call
from windlass.serving.telemetry.payloads import PayloadLog, PayloadOptions
from windlass.serving.telemetry.trace import HEADER, trace_id
from windlass.serving.telemetry.tracing import Tracing

__all__ = ("Telemetry", "TelemetryOptions")


@attrs.frozen
class TelemetryOptions:
    """What is turned on beside the metrics; nothing by default.

    `access_fraction`, from 0 to 1, is the share of requests that succeed of which a line is logged; those that fail
    always are; None is for no log at all. `payloads` is for a log of what requests carry. `tracing` makes spans.

    Raises EndpointError naming the field that cannot be meant.
    """

    access_fraction: float | None = None
    payloads: PayloadOptions | None = None
    tracing: Tracing | None = None

    def __attrs_post_init__(self) -> None:
        if self.access_fraction is not None and not 0 <= self.access_fraction <= 1:
            raise EndpointError(f"access_fraction: expected a number from 0 to 1, found {self.access_fraction}")


class Telemetry:
    """Performs the options. Between `start` and `stop` what requests carry can be written."""

    def __init__(self, options: TelemetryOptions, registry: CollectorRegistry) -> None:
        self._tracing = options.tracing
        self._access = None if options.access_fraction is None else AccessLog(options.access_fraction)
        self._payloads = None if options.payloads is None else PayloadLog(options.payloads, registry)
        self.watches = not (self._tracing is None and self._access is None and self._payloads is None)

    def start(self) -> None:
        """Open what is written to. Raises EndpointError when it cannot be."""
        if self._payloads is not None:
            self._payloads.start()

    async def stop(self) -> None:
        """Write what waits, and close it."""
        if self._payloads is not None:
            await asyncio.to_thread(self._payloads.stop)

    def begin(self, headers: Mapping[str, str]) -> Call:
        """A request begins, in the task that answers it."""
        call = Call(asyncio.get_running_loop().time(), trace_id=trace_id(headers.get(HEADER)))
        if self._payloads is not None:
            call.keeps = self._payloads.wants()
        if self._tracing is not None:
            self._tracing.begin(call, headers)
        CURRENT.set(call)
        return call

    def traceparent(self, call: Call) -> str | None:
        """What to answer in the header `traceparent`; None without tracing."""
        return None if self._tracing is None else self._tracing.traceparent(call)

    def end(self, call: Call, seen: Seen) -> None:
        """The request has ended."""
        now = asyncio.get_running_loop().time()
        if self._tracing is not None:
            self._tracing.end(call, seen, ended=now)
        if self._access is not None:
            self._access.write(call, seen, ended=now)
        if self._payloads is not None and call.inputs is not None:
            self._payloads.put(call, protocol=seen.protocol, status=seen.status)
