"""How agencies fare, in the words of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector

from connectors.health import AgencyHealth, AgencyState
from gateway.metrics.classes import cumulated

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
            seconds.add_metric([one.agency], cumulated(one.calls.latencies), one.calls.latencies.seconds)
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
