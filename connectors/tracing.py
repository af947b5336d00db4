"""Calls to agencies, as whoever traces requests is told of them; which library that uses is not known here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from connectors.contract import SourceAnswer

Carrier = Callable[[], Mapping[str, str]]
"""Gives the headers by which a request tells of the trace that it belongs to, if it does."""


class CallTracer(Protocol):
    """Whoever traces. Must be quick, and never raise."""

    def call(self, agency: str, dataset: str, companies: int, timeout: float) -> AbstractContextManager[object] | None:
        """Lasts as long as one call, which has `timeout` seconds; an exception that ends it tells how it failed. None
        where the request under way is not traced.
        """
        ...

    def carrier(self, agency: str) -> Carrier | None:
        """What goes with the requests to this agency; None where it is not told of traces."""
        ...


async def traced(call: AbstractContextManager[object], asked: Awaitable[SourceAnswer]) -> SourceAnswer:
    """What was asked for, its call traced."""
    with call:
        return await asked
