"""What can be seen of the endpoint from outside: traces, a log of requests, and a log of what they carried."""

from windlass.serving.telemetry.payloads import PayloadOptions
from windlass.serving.telemetry.telemetry import Telemetry, TelemetryOptions
from windlass.serving.telemetry.tracing import Tracing

__all__ = ("PayloadOptions", "Telemetry", "TelemetryOptions", "Tracing")
