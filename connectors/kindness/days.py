"""The calls of an agency's days: how many there may be, counted by this process or by all together."""

from __future__ import annotations

from typing import Final

from connectors.kindness.declared import Treatment
from connectors.kindness.rate import DayBudget
from connectors.kindness.share import Share
from connectors.kindness.shared_day import Add, SharedDay

RESERVE: Final = 10
"""One in so many of a day's calls is divided among the processes, which count the others together: it is for when those
are used up, and for while nobody can tell how many of them are left.
"""


class Days:
    """What one process may send on a day, where that is bounded: its `own` part, and what all have left by `add`, where
    there is a store that counts that.
    """

    def __init__(self, treatment: Treatment, share: Share, now: float, add: Add | None) -> None:
        """`now` is in seconds of the Unix epoch, as below."""
        self.own: DayBudget | None = None
        self._share = share
        self._add = add
        self._shared: SharedDay | None = None
        self.change(treatment, now)

    def change(self, treatment: Treatment, now: float) -> None:
        """They are bounded so from now on; what was sent counts as before."""
        rate, zone = treatment.rate, treatment.zone
        self._shared = None
        if rate is None or rate.day is None:
            self.own = None
            return
        together = 0 if self._add is None else rate.day - rate.day // RESERVE
        calls = self._share.of(rate.day - together)
        if self.own is None:
            self.own = DayBudget(calls, zone, now)
        else:
            self.own.change(calls, zone, now)
        if self._add is not None:
            self._shared = SharedDay(together, zone, self.own, self._add)

    async def take(self, now: float) -> SharedDay | DayBudget | None:
        """Takes a call out of the day's, which must be bounded, unless there is none left; it is given back to what is
        returned.
        """
        if self._shared is not None:
            return await self._shared.take(now)
        return self.own if self.own is not None and self.own.take(now) else None
