"""How long something took, counted by classes."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Upper bounds of the classes, in seconds; above the last is one more."""


@dataclass(slots=True)
class Histogram:
    """The seconds altogether, and how often in each class."""

    seconds: float = 0.0
    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, seconds: float) -> None:
        """It took so many seconds once more."""
        self.seconds += seconds
        self.classes[bisect_left(BOUNDS, seconds)] += 1
