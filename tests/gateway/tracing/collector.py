"""A collector of traces: it takes what OTLP brings over HTTP, and keeps it."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.requests import Request
from starlette.responses import Response

from tests.waiting import until


@dataclass(frozen=True)
class Told:
    """A span, as it came."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass
class Collector:
    """What came: spans, bodies as they were, and the headers of requests."""

    url: str = ""
    spans: list[Told] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = plain(resource.resource.attributes)
            self.spans += [told(span, about) for scope in resource.scope_spans for span in scope.spans]
        return Response(b"", media_type="application/x-protobuf")

    async def trace(self, id_: str) -> Sequence[Told]:
        """The spans of a trace, once that of the request itself has come, which ends last."""

        async def whole() -> Sequence[Told]:
            found = [span for span in self.spans if span.trace == id_]
            return found if any(span.kind == "SPAN_KIND_SERVER" for span in found) else ()

        found: Sequence[Told] = await until(whole)
        return found


def told(span: Span, resource: Mapping[str, Any]) -> Told:
    return Told(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        Span.SpanKind.Name(span.kind),
        span.status.code == Status.STATUS_CODE_ERROR,
        plain(span.attributes),
        resource,
    )


def plain(attributes: Any) -> Mapping[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
