"""Histograms as Prometheus wants them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def cumulated(bounds: Sequence[float], classes: Sequence[int]) -> list[tuple[str, float]]:
    """Each upper bound, the last of them infinite, with how many there are up to it."""
    return list(zip((*map(str, bounds), "+Inf"), map(float, accumulate(classes)), strict=True))
