"""What is counted of an agency's calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from connectors.histogram import Histogram

LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes of latency, in seconds; above the last is one more."""


@dataclass(slots=True)
class Refused:
    """Calls that were not sent, by what refused them."""

    maintenance: int = 0
    breaker: int = 0
    pause: int = 0
    rate: int = 0
    day: int = 0
    places: int = 0


@dataclass(slots=True)
class Counts:
    """Since the process began: calls that were sent, repeated and hedging ones among them; how many of these failed,
    and how many of those by their time; the calls that were refused; and how long those that were answered took.
    """

    calls: int = 0
    retries: int = 0
    hedges: int = 0
    failures: int = 0
    timeouts: int = 0
    refused: Refused = field(default_factory=Refused)
    latencies: Histogram = field(default_factory=lambda: Histogram(LATENCIES))
