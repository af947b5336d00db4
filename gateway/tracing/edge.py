"""The span of a whole request, around the application that answers it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from opentelemetry.trace import Span
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.receive import METHODS
from gateway.tracing.spans import REQUEST_ID, STATUS, fail

TRACEPARENT: Final = "traceparent"
"""The one header of W3C Trace Context that is read: `tracestate` holds whatever a caller likes to write."""

OTHER: Final = "_OTHER"
"""What OpenTelemetry's conventions call an unknown method: its name is a text of the caller's."""

SERVER_ERRORS: Final = range(500, 600)

Begin = Callable[[str | None, str], AbstractContextManager[Span]]
"""Begins the span of a request by its `traceparent` and its method."""


class TracedRequests:
    """ASGI middleware around an application that answers HTTP requests, and lets no exception out."""

    def __init__(self, app: ASGIApp, begin: Begin) -> None:
        self._app = app
        self._begin = begin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        parents = Headers(scope=scope).getlist(TRACEPARENT)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        with self._begin(parents[0] if len(parents) == 1 else None, method) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _tell(span, message["status"], Headers(raw=message["headers"]))
                await send(message)

            await self._app(scope, receive, watched if span.is_recording() else send)


def _tell(span: Span, status: int, headers: Headers) -> None:
    span.set_attribute(STATUS, status)
    span.set_attribute(REQUEST_ID, headers.get("X-Request-Id", ""))
    if status in SERVER_ERRORS:
        fail(span, str(status))
