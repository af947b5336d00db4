"""Trips to the store that instances share, for what they must agree on before an agency is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.asyncio import Redis

from connectors.outage import Outages

TRIP: Final = 1.0
"""Seconds that a trip may take, of the time that the call has."""

SILENT: Final = "the store in which instances agree on calls to the agency does not answer"


class Trips:
    """One script each, which runs there as a whole."""

    def __init__(self, client: Redis) -> None:
        self.script = client.register_script
        self._outages = Outages("the store in which instances agree on calls to agencies")

    @property
    def failures(self) -> int:
        """How many failed."""
        return self._outages.failures

    @property
    def are_in_vain(self) -> bool:
        """Whether the store did not answer just now, and is not asked yet."""
        return self._outages.is_paused()

    async def make(self, ask: Callable[[], Awaitable[Any]]) -> int | None:
        """What the store answers; None where it does not."""
        if not self._outages.admit():
            return None
        try:
            async with asyncio.timeout(TRIP):
                answer = int(await ask())
        except Exception as error:  # noqa: BLE001  (whatever a store answers with, the instances have not agreed)
            self._outages.failed(error)
            return None
        self._outages.succeeded()
        return answer
