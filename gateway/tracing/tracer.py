"""Makes the spans of requests, by OpenTelemetry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp

from connectors.contract import Supply
from connectors.tracing import Carrier
from gateway.activity import Stage
from gateway.logs import TRACE_ID
from gateway.tracing.edge import TRACEPARENT, TracedRequests
from gateway.tracing.spans import AGENCY, COMPANIES, DATASET, INNERMOST, METHOD, Attributes, Below
from gateway.tracing.supply import TracedSupply

_PROPAGATOR: Final = TraceContextTextMapPropagator()

# It warns of headers that are too long: whoever calls could fill the log.
logging.getLogger(TraceContextTextMapPropagator.__module__).setLevel(logging.ERROR)


class Tracer:
    """As `Tracing`. `told` are the agencies whose requests say of which trace they are."""

    def __init__(self, tracer: trace.Tracer, told: Collection[str]) -> None:
        self._tracer = tracer
        self._told = told

    def requests(self, app: ASGIApp) -> ASGIApp:
        """As in `Tracing`."""
        return TracedRequests(app, self.request)

    def questions(self, supply: Supply) -> Supply:
        """As in `Tracing`."""
        return TracedSupply(supply, self.below)

    def stage(self, stage: Stage) -> Below | None:
        """As in `StageTracer`."""
        return self.below(stage.value, {})

    def call(self, agency: str, dataset: str, companies: int, timeout: float) -> Below | None:
        """As in `CallTracer`."""
        attributes: Attributes = {AGENCY: agency, DATASET: dataset, COMPANIES: companies}
        ends = asyncio.get_running_loop().time() + timeout
        return self.below(f"call {dataset}", attributes, SpanKind.CLIENT, ends)

    def carrier(self, agency: str) -> Carrier | None:
        """As in `CallTracer`."""
        return _headers if agency in self._told else None

    @contextmanager
    def request(self, traceparent: str | None, method: str) -> Iterator[Span]:
        """Lasts as long as a request, which goes on with its caller's trace where that can be read."""
        parent = _PROPAGATOR.extract({TRACEPARENT: traceparent} if traceparent else {})
        span = self._tracer.start_span(f"{method} /graphql", parent, SpanKind.SERVER, {METHOD: method})
        context = span.get_span_context()
        before = INNERMOST.set(span)
        named = TRACE_ID.set(format_trace_id(context.trace_id) if context.is_valid else None)
        try:
            yield span
        finally:
            TRACE_ID.reset(named)
            INNERMOST.reset(before)
            span.end()

    def below(
        self,
        name: str,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        ends: float = inf,
    ) -> Below | None:
        """A span below the innermost one; None where that is not recorded."""
        parent = INNERMOST.get()
        if parent is None or not parent.is_recording():
            return None
        return Below(self._tracer.start_span(name, trace.set_span_in_context(parent), kind, attributes), ends)


def _headers() -> Mapping[str, str]:
    span, carrier = INNERMOST.get(), dict[str, str]()
    if span is not None:
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier
