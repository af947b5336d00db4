"""Long pieces of work leave other requests their turn on the event loop."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

LONGEST: Final = 0.003
"""Seconds for which one piece of work may hold the event loop; some 5,000 field values are written in them."""


class Turn:
    """One request's time on the event loop. In a loop: `if turn.is_over(): await turn.pass_on()`.

    `passed` tells whether it was passed on before: the work is long.
    """

    def __init__(self) -> None:
        self.passed = False
        self.begin()

    def begin(self) -> None:
        """Begins a turn, after others had theirs while something was waited for."""
        self._ends = perf_counter() + LONGEST

    def is_over(self) -> bool:
        """Whether others should have theirs."""
        return perf_counter() > self._ends

    async def pass_on(self) -> None:
        """Lets all others that wait have theirs, and begins the next one."""
        await asyncio.sleep(0)
        self.passed = True
        self.begin()
