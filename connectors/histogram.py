"""How long something took, counted by classes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import inf


class Histogram:
    """The seconds altogether, and how often in each class: one up to each of the `bounds`, in seconds, and one
    above the last.
    """

    __slots__ = ("bounds", "classes", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.classes = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """It took so many seconds once more."""
        self.seconds += seconds
        self.classes[bisect_left(self.bounds, seconds)] += 1

    def within(self, share: float) -> float | None:
        """The seconds within which this share of the times came, as an upper bound; None without any, infinity above
        the last class.
        """
        wanted, seen = share * sum(self.classes), 0
        for bound, number in zip((*self.bounds, inf), self.classes, strict=True):
            seen += number
            if seen and seen >= wanted:
                return bound
        return None
