"""Waiting for what another process, or a file, will bring: neither wakes anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 30.0


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """What `holds` gives once it gives something, which it does in time or never."""
    async with asyncio.timeout(seconds):
        while not (found := await holds()):  # noqa: ASYNC110  # nobody wakes us
            await asyncio.sleep(0.01)
        return found
