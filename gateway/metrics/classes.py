"""Histograms as Prometheus wants them."""

from __future__ import annotations

from itertools import accumulate

from connectors.histogram import Histogram


def cumulated(spent: Histogram) -> list[tuple[str, float]]:
    """Each upper bound, the last of them infinite, with how many there are up to it."""
    return list(zip((*map(str, spent.bounds), "+Inf"), map(float, accumulate(spent.classes)), strict=True))
