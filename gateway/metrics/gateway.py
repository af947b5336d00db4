"""How the gateway itself fares, in the words of Prometheus."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from connectors.health import CacheHealth
from connectors.histogram import Histogram
from gateway.activity import Activity
from gateway.audit.log import AuditLog
from gateway.editions.editions import Standing
from gateway.errors import CompaniesExceededError, ConcurrencyExceededError, InternalError, RateExceededError
from gateway.metrics.classes import cumulated
from gateway.pipeline import Gateway
from policies.decision import Effect

ALARMING: Final = frozenset(
    error.code for error in (InternalError, RateExceededError, ConcurrencyExceededError, CompaniesExceededError)
)
"""The outcomes that are told while there are none, for of a series that begins with 1 Prometheus sees no increase."""


class GatewayCollector(Collector):
    """The metrics of requests, their stages, the cache, the policy and the audit log."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        gateway = self._gateway
        yield from _requests(gateway.activity)
        yield from _policy(gateway.editions.standing(), gateway.activity)
        yield from _audit(gateway.audit)
        cache = gateway.cache()
        if cache is not None:
            yield from _cache(cache)
        build = InfoMetricFamily("xinqiao_build", "What is running.")
        build.add_metric([], {"version": version("xinqiao"), "python": platform.python_version()})
        yield build


def _requests(activity: Activity) -> Iterator[Metric]:
    requests = CounterMetricFamily("xinqiao_requests", "Requests, by what became of them.", labels=["outcome"])
    for outcome in sorted(ALARMING | set(activity.outcomes)):
        requests.add_metric([outcome], activity.outcomes[outcome])
    yield requests
    yield _gauge("xinqiao_requests_under_way", "Requests that are being answered.", activity.under_way)
    yield _histogram("xinqiao_request_seconds", "How long requests took.", activity.requests)
    stages = HistogramMetricFamily("xinqiao_stage_seconds", "How long stages of requests took.", labels=["stage"])
    for stage, spent in activity.stages.items():
        stages.add_metric([stage.value], cumulated(spent), spent.seconds)
    yield stages


def _policy(standing: Standing, activity: Activity) -> Iterator[Metric]:
    yield _gauge("xinqiao_policy_version", "The number of the version in force.", standing.number)
    yield _gauge("xinqiao_policy_published_timestamp_seconds", "When it was published.", standing.published_at)
    if standing.confirmed is not None:
        text = "Seconds since its store said that it is the latest."
        yield _gauge("xinqiao_policy_confirmed_seconds", text, standing.confirmed)
    yield _gauge("xinqiao_policy_stale", "Whether that is too long ago, so that only PUBLIC is shown.", standing.stale)
    yield _gauge("xinqiao_policy_left_out", "Whether a later version cannot be loaded here.", standing.left_out)
    decisions = CounterMetricFamily(
        "xinqiao_policy_decisions", "Decisions on what requests select, by effect.", labels=["effect"]
    )
    for effect in Effect:
        decisions.add_metric([effect.value], activity.decisions[effect])
    yield decisions


def _audit(audit: AuditLog) -> Iterator[Metric]:
    counts = audit.counts
    yield _counter("xinqiao_audit_records", "Records that were made durable.", counts.records)
    yield _counter("xinqiao_audit_failures", "Times that the audit log could not be written.", counts.failures)
    yield _gauge("xinqiao_audit_waiting", "Records that wait to be written.", audit.waiting)
    text = "How long it took to make records durable, several at once."
    yield _histogram("xinqiao_audit_commit_seconds", text, counts.commits)


def _cache(cache: CacheHealth) -> Iterator[Metric]:
    yield _gauge("xinqiao_cache_rows", "Rows that are kept in memory.", cache.rows)
    if cache.second is None:
        return
    entries = CounterMetricFamily(
        "xinqiao_cache_second_level_entries", "Entries of the second level, by what became of them.", labels=["outcome"]
    )
    for outcome, number in asdict(cache.second).items():
        entries.add_metric([outcome], number)
    yield entries
    yield _counter("xinqiao_cache_second_level_failures", "Trips to the second level that failed.", cache.failures)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, spent: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, buckets=cumulated(spent), sum_value=spent.seconds)
