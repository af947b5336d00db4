"""The turns of calls at an agency that bears fewer in a second, or in a minute, than there are instances, by the store
that these share (Redis, or what speaks like it). Who cannot ask it has no turn.
"""

from __future__ import annotations

import asyncio
from typing import Final

from connectors.kindness.overload import SILENT, USED_UP, overloaded
from connectors.kindness.rate import LATE
from connectors.place_store import KEPT
from connectors.trips import Script, Trips

RESERVE: Final = Script.of("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local between, patience, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = tonumber(redis.call('GET', KEYS[1]) or now + between)
due = math.min(math.max(due, now), now + longest + between)
if due - now >= patience then return -1 end
redis.call('SET', KEYS[1], string.format('%.0f', due + between), 'EX', ARGV[4])
return due - now
""")
"""Milliseconds until the call's turn, or -1 where that would be too late for it. Where the store knows nothing, it may
have known, and been emptied: then a call may just have left. Its clock may have been set back as well.
"""

_TOO_LATE: Final = -1


class StorePace:
    """The `Pacer` of one agency, under a name in the store: a call in every `between` seconds. No request takes longer
    than `longest`.
    """

    def __init__(self, trips: Trips, name: bytes, between: float, longest: float) -> None:
        self._trips = trips
        self._name = name
        self._between = between
        self._longest = longest

    async def wait(self, deadline: float) -> None:
        """As in `Pacer`."""
        loop, missed = asyncio.get_running_loop(), True
        try:
            async with asyncio.timeout_at(deadline):
                while missed:
                    wait = await self._reserved(deadline)
                    turn = loop.time() + wait
                    await asyncio.sleep(wait)
                    missed = loop.time() > turn + LATE
        except TimeoutError:
            raise overloaded(USED_UP) from None

    async def _reserved(self, deadline: float) -> float:
        """Seconds until the turn that was reserved."""
        patience = deadline - asyncio.get_running_loop().time()
        terms = [int(seconds * 1_000) for seconds in (self._between, patience, self._longest)]
        milliseconds = await self._trips.ask(RESERVE.call([self._name], [*terms, KEPT]))
        if milliseconds is None:
            raise overloaded(SILENT)
        if milliseconds == _TOO_LATE:
            raise overloaded(USED_UP)
        return milliseconds / 1_000
