"""Opens tracing: spans leave by OTLP over HTTP, in a thread, out of a bounded queue; what nobody takes is dropped.

How, and where to, the standard variables of OpenTelemetry say, which its SDK reads itself
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from threading import Thread
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gateway.errors import SettingsInvalidError
from gateway.settings import TracingSettings
from gateway.tracing.tracer import Tracer

ENDING_SECONDS: Final = 3.0
"""How long the last spans may take to leave."""

PROTOCOL: Final = "http/protobuf"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_log = structlog.stdlib.get_logger(__name__)

# It logs each attempt, with texts of the libraries beneath; `TellingExporter` logs what matters.
logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.CRITICAL)


class TellingExporter(SpanExporter):
    """An exporter of which the log says once that it fails, and once that it does so no more."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As in `SpanExporter`."""
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            _log.warning("traces cannot be exported")
        if self._failing and not failing:
            _log.info("traces are exported again")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """As in `SpanExporter`."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """As in `SpanExporter`."""
        return self._exporter.force_flush(timeout_millis)


@asynccontextmanager
async def open_tracer(
    settings: TracingSettings, instance: str, environment: Mapping[str, str]
) -> AsyncIterator[Tracer]:
    """What makes the spans of this process, for as long as the context lasts; `instance` is what it is called there.

    `environment` says which protocol is wanted. Raises `SettingsInvalidError` for any but OTLP's own over HTTP.
    """
    for name in PROTOCOLS:
        if environment.get(name, PROTOCOL) != PROTOCOL:
            raise SettingsInvalidError(f"{name}: traces leave by {PROTOCOL} alone; leave it out.")
    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "xinqiao"}
    resource = {**named, "service.version": version("xinqiao"), "service.instance.id": instance}
    provider = TracerProvider(resource=Resource.create(resource), shutdown_on_exit=False)
    exporter = TellingExporter(OTLPSpanExporter())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield Tracer(provider.get_tracer("xinqiao", version("xinqiao")), frozenset(settings.agencies))
    finally:
        await _end(provider, exporter)


async def _end(provider: TracerProvider, exporter: SpanExporter) -> None:
    """Lets the last spans leave, and gives up those that do not in time."""
    # A thread of its own, which nobody waits for at the end: with a collector that is silent it takes half a minute.
    ending = Thread(target=provider.shutdown, name="end of tracing", daemon=True)
    ending.start()
    await asyncio.to_thread(ending.join, ENDING_SECONDS)
    if ending.is_alive():
        exporter.shutdown()
        _log.warning("the last traces were not exported")
