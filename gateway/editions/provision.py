"""What the manifests in force supply, at work: all of it changes as one when they do.

A request uses the provision that was in force when it began; one that is replaced is closed after the last of these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from connectors.contract import Dataset, Supply
from connectors.supply import AgencySupply
from gateway.editions.views import Views
from gateway.editions.workshop import Offered
from gateway.quotas.fair import Held
from gateway.stages.cost import Tariff
from gateway.stages.document import Documents
from gateway.stages.shape import Agencies

_log = structlog.stdlib.get_logger(__name__)


class Users:
    """Counts the requests that use something, each for as long as it is in this context."""

    def __init__(self) -> None:
        self._number = 0
        self._gone = asyncio.Event()
        self._gone.set()

    def __enter__(self) -> None:
        """One more."""
        self._number += 1
        if self._number == 1:
            self._gone.clear()

    def __exit__(self, *_: object) -> None:
        """One less."""
        self._number -= 1
        if not self._number:
            self._gone.set()

    async def gone(self) -> None:
        """Returns once there is none."""
        await self._gone.wait()


@dataclass(frozen=True, slots=True, eq=False)
class Provision:
    """What is supplied, and how it is asked for.

    `shared` names the datasets whose cached rows may serve every organisation; `tariff` is what each dataset costs;
    `held` are the places that organisations have at agencies, whichever provision they ask through.
    """

    offered: Offered
    datasets: Mapping[str, Dataset]
    agencies: Agencies
    shared: frozenset[str]
    tariff: Tariff
    supply: Supply
    views: Views
    documents: Documents
    held: Held = field(default_factory=Held)
    users: Users = field(default_factory=Users)


class Provisions:
    """The supply in force, and those before it that requests may still use. Whoever made it closes it."""

    def __init__(self, supply: AgencySupply) -> None:
        self._supply = supply
        self._past: list[tuple[Users, AgencySupply, AgencySupply]] = []
        self._closing: asyncio.Task[None] | None = None

    @property
    def supply(self) -> AgencySupply:
        """The supply in force."""
        return self._supply

    def replace(self, users: Users, successor: AgencySupply) -> None:
        """The successor is in force: what it has not is closed once the users of the supply before it are gone."""
        self._past.append((users, self._supply, successor))
        self._supply = successor
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self._close_past(), name="supplies of the past")

    async def close(self) -> None:
        """Closes all of them."""
        if self._closing is not None:
            self._closing.cancel()
            await asyncio.gather(self._closing, return_exceptions=True)
        for _, supply, successor in self._past:
            await supply.close(successor)
        await self._supply.close()

    async def _close_past(self) -> None:
        # One after the other: what two of them have, and the third has not, is closed after both.
        while self._past:
            users, supply, successor = self._past[0]
            await users.gone()
            try:
                await supply.close(successor)
            except Exception:  # noqa: BLE001  (whatever a connection does in its end, the next must be closed)
                _log.exception("a connection cannot be closed")
            self._past.pop(0)
