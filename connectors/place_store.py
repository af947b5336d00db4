"""Places that instances lend each other through the store that they share (Redis, or what speaks like it).

Who cannot ask the store gets no place. Neither does anybody for a while where the store knows nothing of an agency: it
may have known, and been emptied, while calls were under way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Final

from connectors.kindness.lender import GiveBack, pause
from connectors.kindness.overload import SILENT, TAKEN, overloaded
from connectors.outage import PAUSE
from connectors.trips import Script, Trips

SLACK: Final = 2.0
"""Seconds for which a place is lent beyond the call's deadline: a busy process ends its calls somewhat late."""

LOOK: Final = 0.03
LOOK_OF_NEXT: Final = 0.01
"""Seconds, about, between two looks for a place, each of which is a trip, and of whoever is next."""

TURN: Final = 2.0
"""Seconds for which it is the turn of whoever looked last, should it not look again."""

KEPT: Final = 2_592_000
"""Seconds for which the store knows of an agency that is not asked: thirty days."""

_LENT: Final = 1
_NEXT: Final = 2

LEND: Final = Script.of("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local places, turn, loan = KEYS[1], KEYS[2], ARGV[1]
if redis.call('EXISTS', places) == 0 then
  redis.call('ZADD', places, '+inf', 'known', now + ARGV[4], 'unknown')
end
redis.call('EXPIRE', places, ARGV[6])
redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
if redis.call('ZSCORE', places, 'unknown') then return -1 end
if redis.call('ZSCORE', places, loan) then return 1 end
if (redis.call('GET', turn) or loan) ~= loan then return 0 end
if redis.call('ZCARD', places) - 1 < tonumber(ARGV[2]) then
  redis.call('ZADD', places, now + ARGV[3], loan)
  redis.call('DEL', turn)
  return 1
end
redis.call('SET', turn, loan, 'PX', ARGV[5])
return 2
""")
"""1 where a place is lent; 2 where all are, and the next is this one's; 0 where it is another's; -1 where nobody knows
what is under way. The first key has the loans, with the moment at which each is over by the store's clock, and `known`,
which shows that they are all; the second, whose turn it is. A trip that is made twice lends once."""

GIVE_BACK: Final = Script.of("""
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
""")


class PlaceStore:
    """Lends and takes back places by trips to the store. Whoever made it closes it, before the client."""

    def __init__(self, trips: Trips) -> None:
        self.trips = trips
        self._giving: set[asyncio.Task[None]] = set()

    async def lend(self, keys: list[bytes], loan: str, *terms: int) -> int | None:
        """What the store says (`LEND`) to whoever wants a place; None where it does not answer."""
        return await self.trips.ask(LEND.call(keys, [loan, *terms]))

    def give_back(self, keys: list[bytes], loan: str, ends: float) -> None:
        """Sees to it that the place is given back, and the turn, unless the loan `ends` before the store answers."""

        async def give_back() -> None:
            loop = asyncio.get_running_loop()
            while loop.time() < ends:
                if await self.trips.ask(GIVE_BACK.call(keys, [loan])) is not None:
                    return
                await asyncio.sleep(PAUSE)

        task = asyncio.create_task(give_back(), name="place")
        self._giving.add(task)
        task.add_done_callback(self._giving.discard)

    async def close(self) -> None:
        """Gives back what is to be, as far as the store answers soon."""
        if self._giving:
            await asyncio.wait(self._giving, timeout=self.trips.deadline)
        for task in self._giving:
            task.cancel()
        await asyncio.gather(*self._giving, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class StorePlaces:
    """The `Lender` of so many places at an agency, under these two names in the store. `longest` is the most seconds
    that any request takes, of any process.
    """

    store: PlaceStore
    keys: list[bytes]
    most: int
    longest: float

    async def lend(self, deadline: float) -> GiveBack:
        """As in `Lender`."""
        if self.store.trips.outages.is_paused():
            raise overloaded(SILENT)
        loan, ends = token_hex(16), deadline + SLACK
        give_back = partial(self.store.give_back, self.keys, loan, ends)
        try:
            async with asyncio.timeout_at(deadline):
                while (said := await self._ask(loan, ends)) != _LENT:
                    await pause(LOOK_OF_NEXT if said == _NEXT else LOOK, deadline)
        except BaseException as error:
            # Also where nobody knows whether it was lent.
            give_back()
            if isinstance(error, TimeoutError):
                raise overloaded(TAKEN) from None
            raise
        return give_back

    async def _ask(self, loan: str, ends: float) -> int:
        left = ends - asyncio.get_running_loop().time()
        terms = (self.most, _milliseconds(left), _milliseconds(self.longest + SLACK), _milliseconds(TURN), KEPT)
        said = await self.store.lend(self.keys, loan, *terms)
        if said is None:
            raise overloaded(SILENT)
        return said


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)
