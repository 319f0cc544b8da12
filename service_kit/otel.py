"""Spans made and sent by OpenTelemetry. Imported only when it is switched on, for it is not installed everywhere.

Where they go is a setting of ours; all else (sampling, headers, limits) is set by OpenTelemetry's own variables
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service_kit.trace_context import TRACEPARENT
from service_kit.traces import bind_traceparent, current_traceparent
from service_kit.tracing import Attribute, Span, SpanKind

_EXPORT_SECONDS: Final = 3.0
"""A collector that does not answer costs spans and nothing else; a process that stops waits for it no longer."""

_KINDS: Final = {SpanKind.SERVER: trace.SpanKind.SERVER, SpanKind.CLIENT: trace.SpanKind.CLIENT}
_FORMAT: Final = TraceContextTextMapPropagator()


class OtelTracer:
    """Makes spans with `provider`; a `service_kit.tracing.Tracer`."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("stock-quotes")

    @contextmanager
    def span(self, name: str, kind: SpanKind, attributes: dict[str, Attribute]) -> Iterator[Span]:
        """See `service_kit.tracing.Tracer.span`."""
        with self._tracer.start_as_current_span(name, _parent(), kind=_KINDS[kind], attributes=attributes) as span:
            place: dict[str, str] = {}
            _FORMAT.inject(place)
            with bind_traceparent(place.get(TRACEPARENT)):
                yield span


def exporting_tracer(service: str, endpoint: str) -> OtelTracer:
    """One that sends its spans to `endpoint` now and then, from a thread of its own, and at the end of the process.

    That thread takes no signals: they are for those who wait for them.
    """
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        provider = TracerProvider(resource=_resource(service))
        provider.add_span_processor(BatchSpanProcessor(exporter))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)
    return OtelTracer(provider)


def _resource(service: str) -> Resource:
    """The operator's name for the service goes before ours."""
    return Resource.create({} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service})


def _parent() -> Context | None:
    """The place that the call has come from; None: the span of this process that it is in, or nothing."""
    place = current_traceparent()
    here = trace.get_current_span().get_span_context()
    if place is None or (here.is_valid and place[36:52] == trace.format_span_id(here.span_id)):
        return None
    return _FORMAT.extract({TRACEPARENT: place})
