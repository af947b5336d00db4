"""Repeated calls: how many there may be, and how long to wait before each."""

from __future__ import annotations

from random import uniform
from typing import Final

from connectors.kindness.declared import Retries
from connectors.kindness.share import Share

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds before the first repetition, and at most before a later one, each time twice as many."""

RESERVE: Final = 10
"""How many repetitions are saved up at most, over all processes: what an agency gets when it begins to fail."""


class RetryBudget:
    """What an agency's calls earn, and repeated and hedging ones spend."""

    __slots__ = ("_earned", "_largest", "left")

    def __init__(self, declared: Retries, share: Share) -> None:
        self.left = RESERVE / share.processes
        self.change(declared, share)

    def change(self, declared: Retries, share: Share) -> None:
        """So much is earned from now on; what is saved up stays, as far as it may."""
        self._earned = declared.percent / 100
        self._largest = max(1, RESERVE // share.processes) if self._earned else 0
        self.left = min(self.left, self._largest)

    def earn(self) -> None:
        """A call is made."""
        if self.left < self._largest:
            self.left += self._earned

    def take(self) -> bool:
        """Takes one repetition, unless there is none left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


def pause_before(repetition: int) -> float:
    """Seconds to wait before the repetition (0 for the first), of which half are drawn by lot: those whose calls failed
    together shall not come back together.
    """
    longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2**repetition)
    return uniform(longest / 2, longest)  # noqa: S311  (nobody gains by guessing it)
