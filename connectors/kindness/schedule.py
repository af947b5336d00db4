"""An agency's schedule: the moments at which calls leave, by its rate, and after what it asked for by `Retry-After`."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

from connectors.kindness.declared import Rate
from connectors.kindness.rate import MovingWindow, Pace, next_moment, paces
from connectors.kindness.share import Share

RESUMPTION: Final = 1.0
"""Seconds over which as many calls as the agency bears at once are spread that waited for the end of a pause."""


class Schedule:
    """Moments are reserved, each later than the ones before or with them; one that is given back serves the next call.
    Times are in seconds of the event loop's clock.
    """

    def __init__(self, rate: Rate | None, share: Share, places: int) -> None:
        """`places` is how many calls the agency bears at once, of all processes."""
        self.paused_until = float("-inf")
        self._last = float("-inf")
        self._free: list[float] = []
        self._paces: Sequence[Pace] = ()
        self.change(rate, share, places)

    def change(self, rate: Rate | None, share: Share, places: int) -> None:
        """Calls leave at this rate from now on; those that have their moments count, and keep them."""
        taken = self._taken()
        self._declared = rate, share
        self._resuming = MovingWindow(1, RESUMPTION * share.processes / places)
        self._begin(taken)

    def resume(self, now: float) -> None:
        """The pause is over before its time, and nobody waits any more for what was reserved after `now`."""
        self.paused_until = float("-inf")
        self._last = min(self._last, now)
        self._free = []
        self._begin([moment for moment in self._taken() if moment <= now])

    def next(self, now: float) -> float:
        """The moment that a call would get."""
        earliest = max(now, self.paused_until)
        while self._free and self._free[0] < earliest:
            heappop(self._free)
        return self._free[0] if self._free else next_moment(self._paces_at(now), max(earliest, self._last))

    def reserve(self, now: float) -> float:
        """Reserves the first moment, from now on, at which a call may leave."""
        moment = self.next(now)
        if self._free:
            return heappop(self._free)
        for pace in self._paces_at(now):
            pace.take(moment)
        self._last = moment
        return moment

    def give_back(self, moment: float) -> None:
        """A call does not leave at the moment that was reserved for it."""
        heappush(self._free, moment)

    def _taken(self) -> Sequence[float]:
        """The last moments that were reserved."""
        return max((tuple(pace.taken) for pace in self._paces), key=len, default=())

    def _begin(self, taken: Sequence[float]) -> None:
        rate, share = self._declared
        self._paces = paces(rate, share) if rate else ()
        for moment in taken:
            for pace in self._paces:
                pace.take(moment)

    def _paces_at(self, now: float) -> Sequence[Pace]:
        return (*self._paces, self._resuming) if self.paused_until > now else self._paces
