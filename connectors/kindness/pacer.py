"""A pace that instances keep together, at an agency that bears fewer calls in a second, or a minute, than they are."""

from __future__ import annotations

from typing import Protocol


class Pacer(Protocol):
    """Who gives calls their turns."""

    async def wait(self, deadline: float) -> None:
        """Waits for the turn of a call, which is used up then; the deadline is in seconds of the event loop's clock.
        Raises `NotSent` where that would be too late, or nobody knows.
        """
        ...
