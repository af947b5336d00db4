"""How agencies fare, and the cache of their rows: what was counted of them, as it is at a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.kindness.breaker import BreakerState
from connectors.kindness.counts import Counts
from connectors.row_counts import RowCounts
from connectors.second_level import Counts as SecondLevelCounts
from connectors.supply import AgencySupply


class AgencyState(StrEnum):
    """Whether an agency is asked: as ever, not at all, or by one call that tries."""

    ASKED = "ASKED"
    MAINTENANCE = "MAINTENANCE"
    LEFT_ALONE = "LEFT_ALONE"
    TRIED = "TRIED"


_STATES = {
    BreakerState.CLOSED: AgencyState.ASKED,
    BreakerState.OPEN: AgencyState.LEFT_ALONE,
    BreakerState.HALF_OPEN: AgencyState.TRIED,
}


@dataclass(frozen=True, slots=True)
class AgencyHealth:
    """One agency: its state, how often its breaker has opened, what was counted of its calls, and of the rows of its
    datasets by record type. The counts go on counting.
    """

    agency: str
    state: AgencyState
    opened: int
    calls: Counts
    rows: Mapping[str, RowCounts]


@dataclass(frozen=True, slots=True)
class CacheHealth:
    """The cache: rows kept in memory; what became of entries of its second level, and how many trips there failed."""

    rows: int
    second: SecondLevelCounts | None
    failures: int


def health_of(supply: AgencySupply) -> tuple[AgencyHealth, ...]:
    """The agencies in the order of their ids. Takes a running event loop."""
    now = asyncio.get_running_loop().time()
    found = []
    for agency in supply.opened:
        bounds = agency.bounds
        state = AgencyState.MAINTENANCE if bounds.is_under_maintenance else _STATES[bounds.breaker.state(now)]
        rows = {line.dataset.record: line.rows for line in agency.lines.values()}
        found.append(AgencyHealth(bounds.agency, state, bounds.breaker.opened, bounds.counts, rows))
    return tuple(sorted(found, key=lambda health: health.agency))


def cache_health_of(supply: AgencySupply) -> CacheHealth:
    """The cache of the supply's rows."""
    cache = supply.cache
    second = cache.second
    return CacheHealth(cache.rows, second.counts if second else None, second.failures if second else 0)
