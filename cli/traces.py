"""Spans leave in batches from a thread of their own, and those that wait leave before the program ends.

Needs the extra `otel`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from windlass.serving.telemetry.otel import OpenTelemetry

__all__ = ("exporting",)

_TIMEOUT_SECONDS = 5.0


@contextlib.asynccontextmanager
async def exporting(url: str, fraction: float) -> AsyncIterator[OpenTelemetry]:
    """Tracing whose spans go to the OTLP receiver at `url`.

    The resource is that of the environment (`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`), the service `windlass`
    otherwise. `fraction` of the requests are traced whose clients did not decide it.
    """
    resource = Resource.create()
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "windlass"}))
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(fraction)))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT_SECONDS)))
    try:
        yield OpenTelemetry(provider)
    finally:
        await asyncio.to_thread(provider.shutdown)
