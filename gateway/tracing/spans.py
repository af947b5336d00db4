"""Spans, and which of them is the innermost one of the request under way.

They tell of agencies, datasets, numbers, codes of errors and the request's id: of no company, no caller and no value.
An exception is told by its code; its message is left out, for nobody can know what a library put into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar, Token
from math import inf
from types import TracebackType
from typing import Final

from opentelemetry.trace import Span, StatusCode

from connectors.contract import FailureCode
from connectors.errors import AgencyFailure

ERROR: Final = "error.type"
METHOD: Final = "http.request.method"
STATUS: Final = "http.response.status_code"
AGENCY: Final = "peer.service"
"""Names of OpenTelemetry's conventions for attributes."""

REQUEST_ID: Final = "xinqiao.request_id"
DATASET: Final = "xinqiao.dataset"
COMPANIES: Final = "xinqiao.companies"
FAILED: Final = "xinqiao.companies_failed"

Attributes = Mapping[str, str | int]
"""What a span tells beside its name and its times."""

CANCELLED: Final = "cancelled"
"""The error of what was given up, because nobody waited for it any more."""

EARLY: Final = 0.01
"""By how many seconds a timer may go off before its time."""

INNERMOST: Final[ContextVar[Span | None]] = ContextVar("innermost span", default=None)
"""It is there also where the trace is not recorded: agencies may be told of it."""


class Below:
    """A span that is the innermost one for as long as the context lasts. What is cancelled when it `ends`, in seconds
    of the event loop's clock, was late.
    """

    __slots__ = ("_before", "_ends", "span")

    def __init__(self, span: Span, ends: float = inf) -> None:
        self.span = span
        self._ends = ends

    def __enter__(self) -> None:
        """Begins."""
        self._before: Token[Span | None] = INNERMOST.set(self.span)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Ends the span, with the code of the exception that ends it."""
        INNERMOST.reset(self._before)
        if isinstance(error, asyncio.CancelledError):
            if asyncio.get_running_loop().time() + EARLY >= self._ends:
                fail(self.span, FailureCode.AGENCY_TIMEOUT)
            else:
                self.span.set_attribute(ERROR, CANCELLED)
        elif error is not None:
            fail(self.span, _code(error))
        self.span.end()


def fail(span: Span, code: str) -> None:
    """Marks the span of something that failed."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute(ERROR, code)


def _code(error: BaseException) -> str:
    if isinstance(error, AgencyFailure):
        return error.failure
    return str(getattr(error, "code", type(error).__name__))
