"""How agencies fare, in the words of Prometheus: collected when somebody asks, from what is counted anyway.

Agencies, datasets and fixed words are the only labels: no company and no caller is told of. Each worker has an address
of its own, so that nothing has to be shared between them, and Prometheus adds them up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from itertools import accumulate
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector

from connectors.health import AgencyHealth, AgencyState
from connectors.kindness.counts import LATENCIES
from gateway.connections import Connections
from gateway.serving import listening, serving
from gateway.settings import PREFIX, Settings

BACKLOG: Final = 16
"""Who collects comes alone, or nearly so."""

_CALLS: Final[Mapping[str, str]] = {
    "calls": "Calls sent to the agency, repeated and hedging ones among them.",
    "failures": "Calls that failed.",
    "timeouts": "Calls that failed by their time.",
    "retries": "Calls that were sent again.",
    "hedges": "Calls that were sent a second time because the first took long.",
}
_ROWS: Final[Mapping[str, str]] = {
    "mapped": "Rows that were mapped.",
    "dropped": "Rows of which no company could be told.",
    "unreadable": "Values that could not be read.",
    "wanted": "Companies that were wanted where rows may be kept.",
    "asked": "Companies of these that the agency was asked about; the others' rows were kept.",
}


class AgencyCollector(Collector):
    """The metrics of the agencies. `health` gives how they fare now, `refused` how many manifests are not in force."""

    def __init__(self, health: Callable[[], Iterable[AgencyHealth]], refused: Callable[[], int]) -> None:
        self._health = health
        self._refused = refused

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: the agencies are not known yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        health = tuple(self._health())
        state = StateSetMetricFamily("xinqiao_agency_state", "Whether the agency is asked.", labels=["agency"])
        opened = CounterMetricFamily("xinqiao_agency_breaker_openings", "Times it was left alone.", labels=["agency"])
        refused = CounterMetricFamily(
            "xinqiao_agency_refused", "Calls that were not sent, by what refused them.", labels=["agency", "reason"]
        )
        seconds = HistogramMetricFamily(
            "xinqiao_agency_call_seconds", "How long calls took that were answered.", labels=["agency"]
        )
        for one in health:
            state.add_metric([one.agency], {word.value: word is one.state for word in AgencyState})
            opened.add_metric([one.agency], one.opened)
            for reason in fields(one.calls.refused):
                refused.add_metric([one.agency, reason.name], getattr(one.calls.refused, reason.name))
            bounds = (*map(str, LATENCIES), "+Inf")
            buckets = list(zip(bounds, map(float, accumulate(one.calls.latencies)), strict=True))
            seconds.add_metric([one.agency], buckets, one.calls.seconds)
        yield from (state, opened, refused, seconds)
        for name, text in _CALLS.items():
            calls = CounterMetricFamily(f"xinqiao_agency_{name}", text, labels=["agency"])
            for one in health:
                calls.add_metric([one.agency], getattr(one.calls, name))
            yield calls
        for name, text in _ROWS.items():
            rows = CounterMetricFamily(f"xinqiao_dataset_{name}", text, labels=["agency", "record"])
            for one in health:
                for record, counts in one.rows.items():
                    rows.add_metric([one.agency, record], getattr(counts, name))
            yield rows
        manifests = GaugeMetricFamily("xinqiao_manifests_refused", "Manifests that are not in force for a mistake.")
        manifests.add_metric([], self._refused())
        yield manifests


@asynccontextmanager
async def serving_metrics(settings: Settings, worker: int | None, collector: Collector) -> AsyncIterator[None]:
    """Answers Prometheus where the settings say, if they do, for as long as the context lasts.

    `worker` counts from 1; each has the next port. Raises `SettingsInvalidError` where it cannot be listened on.
    """
    if settings.metrics_port is None:
        yield
        return
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    config = uvicorn.Config(
        make_asgi_app(registry),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    port = settings.metrics_port + (worker or 1) - 1
    names = f"{PREFIX}METRICS_HOST and {PREFIX}METRICS_PORT"
    with listening(settings.metrics_host, port, BACKLOG, names) as listener:
        async with serving(config, listener, Connections(settings.connections)):
            yield
