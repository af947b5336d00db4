"""Long pieces of work leave everything else its turn on the event loop, all of them together."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary

LONGEST: Final = 0.003
"""Seconds for which long pieces of work may hold the event loop; some 5,000 field values are written in them."""

SHORT: Final = 0.0005
"""Seconds of work that nobody waits to do: to pass a turn on takes a tenth of that."""


class Turn:
    """One request's long work on the event loop. In a loop: `if turn.is_over(): await turn.pass_on()`.

    What several requests do, or one with the answers of several agencies, counts together: between two looks of the
    event loop at what has come, one of them works, and those that began meanwhile, and are not short, wait for theirs.
    `passed` tells whether the work was ever passed on: it is long.
    """

    __slots__ = ("_ends", "_shared", "passed")

    def __init__(self) -> None:
        """For work on the running event loop."""
        loop = asyncio.get_running_loop()
        self._shared = _SHARED.get(loop) or _SHARED.setdefault(loop, _Shared(loop))
        self.passed = False
        self.begin()

    def begin(self) -> None:
        """Goes on with the work, after something was waited for."""
        self._ends = perf_counter() + SHORT

    def is_over(self) -> bool:
        """Whether others should have theirs."""
        now = perf_counter()
        return self._shared.is_over(now) and now > self._ends

    async def take(self) -> None:
        """Begins work that is known to be long: at once, or after others have had their turn."""
        if self._shared.is_over(perf_counter()):
            await self.pass_on()

    async def pass_on(self) -> None:
        """Lets everything else that waits have its turn, and begins the next one."""
        await self._shared.next()
        self.passed = True
        self.begin()


class _Shared:
    """The time of one event loop that all long work shares: who waits for it, in order, and when the turn ends."""

    __slots__ = ("_ends", "_loop", "_under_way", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._under_way = False
        self._ends = 0.0

    def is_over(self, now: float) -> bool:
        """Whether the turn has ended; it begins with the first who asks."""
        if self._under_way:
            return now > self._ends
        self._under_way = True
        self._ends = now + LONGEST
        self._loop.call_soon(self._give)
        return False

    async def next(self) -> None:
        """Returns when it is the turn of whoever asks."""
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        if not self._under_way:
            self._under_way = True
            self._loop.call_soon(self._give)
        await waiter
        self._ends = perf_counter() + LONGEST

    def _give(self) -> None:
        """Gives the next turn: one for each time that the event loop goes round."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._loop.call_soon(self._give)
                return
        self._under_way = False


_SHARED: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared]] = WeakKeyDictionary()
"""Beside the event loop, for it is the loop's time, whoever works on it."""
