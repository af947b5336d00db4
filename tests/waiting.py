"""Waiting for what another process, or a file, will bring: neither wakes anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 30.0
SHORTEST, LONGEST = 0.01, 0.1
"""Seconds between two looks, at first and in the end."""


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """What `holds` gives once it gives something, which it does in time or never."""
    pause = SHORTEST
    async with asyncio.timeout(seconds):
        while not (found := await holds()):
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, LONGEST)
        return found
