"""A day's calls, counted by all processes together in the store that they share, but for what each has of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from connectors.kindness.rate import DayBudget, day_around

PARTS: Final = 1_000
"""Calls are taken out of the store in such parts of the day's: few trips there, and little is lost with a process."""

LONGER: Final = 3_600.0
"""Seconds for which a day's count is kept after its end."""

Add = Callable[[str, int, int, float], Awaitable[int | None]]
"""Adds, in this order, to a day's count a number of calls; the count was at least so much before, whatever the store
has forgotten, and is kept for so many seconds. The sum, None where the store does not answer.
"""


class SharedDay:
    """So many calls from one midnight of the zone to the next, of all processes together.

    Once they are used up, and while the store does not answer, this process has its `own`, which are none of these.
    """

    def __init__(self, calls: int, zone: str, own: DayBudget, add: Add) -> None:
        self._calls = calls
        self._zone = ZoneInfo(zone)
        self._own = own
        self._add = add
        self._begins = self._ends = float("-inf")
        self._taken = 0
        self._used_up = False
        self._known = 0

    async def take(self, now: float) -> SharedDay | DayBudget | None:
        """Takes a call out of the day's, unless there is none left; `now` is in seconds of the Unix epoch. Whoever does
        not send it gives it back to what is returned.
        """
        if now >= self._ends:
            self._begins, self._ends = day_around(now, self._zone)
            self._taken, self._used_up, self._known = 0, False, 0
        if not self._taken and not self._used_up:
            await self._take_part(now, self._ends)
        if self._taken:
            self._taken -= 1
            return self
        return self._own if self._own.take(now) else None

    def give_back(self, taken_at: float) -> None:
        """A call that was taken then is not sent."""
        if taken_at >= self._begins:
            self._taken += 1

    async def _take_part(self, now: float, ends: float) -> None:
        """Takes a part out of the store, where that answers."""
        part = max(1, self._calls // PARTS)
        day = datetime.fromtimestamp(now, self._zone).date().isoformat()
        total = await self._add(day, part, self._known, ends - now + LONGER)
        if total is None or ends != self._ends:
            return
        self._known = max(self._known, total)
        granted = min(part, self._calls - (total - part))
        self._taken += max(granted, 0)
        self._used_up = granted < part
