"""Whoever traces requests, as the rest of the gateway knows it: nothing here needs OpenTelemetry's library."""

from __future__ import annotations

from typing import Protocol

from starlette.types import ASGIApp

from connectors.contract import Supply
from connectors.tracing import CallTracer
from gateway.activity import StageTracer


class Tracing(StageTracer, CallTracer, Protocol):
    """Traces requests, their stages, what they ask of datasets, and the calls to agencies."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """The application, each of whose requests is traced. It lets no exception out."""
        ...

    def questions(self, supply: Supply) -> Supply:
        """The supply, each of whose questions is traced."""
        ...
