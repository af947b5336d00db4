"""Places that processes lend each other, at an agency that bears fewer calls at once than there are processes.

Each process has at most one call under way there, as if it had the least share of more. While a manifest changes, some
processes divide what it says and others lend: whatever each does, it has no more than a share of the greater number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import uniform
from typing import Protocol

from connectors.kindness.overload import TAKEN, overloaded

GiveBack = Callable[[], None]
"""Gives a place back, at once or soon: nobody waits for it. Called once."""


class Lender(Protocol):
    """Who lends the places of one agency."""

    async def lend(self, deadline: float) -> GiveBack:
        """Lends a place once there is one, and it is this call's turn; the call ends by the deadline, in seconds of the
        event loop's clock. Raises `NotSent` where there is none in time, or nobody knows.
        """
        ...


async def pause(seconds: float, deadline: float) -> None:
    """Waits for about so long before looking again for a place. Raises `NotSent` where that is too late.

    The length is drawn by lot: those who look shall not do so together.
    """
    length = uniform(0.5, 1.5) * seconds  # noqa: S311  (nobody gains by guessing it)
    if asyncio.get_running_loop().time() + length >= deadline:
        raise overloaded(TAKEN)
    await asyncio.sleep(length)
