"""How an agency fares, as callers and administrators are told of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from connectors.health import AgencyHealth, AgencyState
from connectors.row_counts import RowCounts


@dataclass(frozen=True, slots=True)
class Fares:
    """What one process has counted of an agency's calls and rows.

    `p50`, `p95` and `p99` are the seconds within which so many of a hundred answers came, as upper bounds; None where
    none came, or above the last bound. Of the companies `wanted` where rows may be kept, so many were `kept`.
    """

    state: AgencyState
    calls: int
    failures: int
    timeouts: int
    openings: int
    p50: float | None
    p95: float | None
    p99: float | None
    rows: int
    dropped: int
    unreadable: int
    wanted: int
    kept: int


def fares_of(health: AgencyHealth) -> Fares:
    """The same, its datasets taken together."""
    p50, p95, p99 = (_finite(health.calls.latencies.within(share)) for share in (0.5, 0.95, 0.99))
    total = {name: sum(getattr(one, name) for one in health.rows.values()) for name in RowCounts.__slots__}
    return Fares(
        state=health.state,
        calls=health.calls.calls,
        failures=health.calls.failures,
        timeouts=health.calls.timeouts,
        openings=health.opened,
        p50=p50,
        p95=p95,
        p99=p99,
        rows=total["mapped"],
        dropped=total["dropped"],
        unreadable=total["unreadable"],
        wanted=total["wanted"],
        kept=max(total["wanted"] - total["asked"], 0),
    )


def _finite(seconds: float | None) -> float | None:
    """JSON knows no infinity."""
    return None if seconds == math.inf else seconds
