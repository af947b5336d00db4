"""Ending without a lost request: first this process says that it is not ready, and goes on answering; then it ends."""

from __future__ import annotations

import asyncio


class Draining:
    """Whether this process is about to end. What looks at its readiness sends it nothing more by then."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: for how long it is not ready and answers still."""
        self._seconds = seconds
        self._begun = False

    async def check(self) -> str | None:
        """What readiness says of it."""
        return "is ending" if self._begun else None

    async def drain(self) -> None:
        """Says that it is not ready, and returns when it may end."""
        self._begun = True
        await asyncio.sleep(self._seconds)
