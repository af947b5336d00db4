"""An agency's calls of a day shared out: no organisation has more than its part of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from cachetools import LRUCache
from msgspec.structs import replace

from connectors.contract import Answers, Dataset, FetchRequest, Supply
from connectors.kindness.share import Share
from connectors.manifest import Manifest
from gateway.quotas.contract import Counters

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DayPart:
    """The `calls` of an agency that one organisation may have, from one midnight of the `zone` to the next."""

    calls: int
    zone: ZoneInfo


def day_parts(manifests: Iterable[Manifest], part: float, share: Share) -> Mapping[str, DayPart]:
    """An organisation's part of each agency whose manifest bounds the calls of a day: one call, at the least. `share`
    is that of whoever counts together.
    """
    return {
        manifest.agency: DayPart(max(1, share.of(int(manifest.rate.day * part))), ZoneInfo(manifest.zone))
        for manifest in manifests
        if manifest.rate and manifest.rate.day
    }


class DayShares:
    """What organisations have taken of agencies' days. `clock` gives the seconds of the Unix epoch."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.time, warned: int = 10_000) -> None:
        self._counters = counters
        self._clock = clock
        self._warned: LRUCache[tuple[str, str], str] = LRUCache(warned)

    async def take(self, organisation: str, agency: str, zone: ZoneInfo, most: int | None) -> bool:
        """Takes a call of the agency's day, if the organisation had fewer than `most`; None: whatever it had."""
        day = datetime.fromtimestamp(self._clock(), zone).date().isoformat()
        taken = await self._counters.take(f"agency\0{agency}\0{organisation}", most, day)
        if not taken and self._warned.get((agency, organisation)) != day:
            self._warned[agency, organisation] = day
            _log.warning(
                "an organisation's share of the day's calls is used up", agency=agency, organisation=organisation
            )
        return taken


@dataclass(frozen=True, slots=True)
class _Meter:
    """One organisation's calls to one agency, as `connectors.contract.Meter`."""

    shares: DayShares
    part: DayPart
    organisation: str
    agency: str

    async def admit(self) -> bool:
        return await self.shares.take(self.organisation, self.agency, self.part.zone, self.part.calls)

    async def count(self) -> None:
        await self.shares.take(self.organisation, self.agency, self.part.zone, None)


class DaySupply:
    """As `Supply`. What takes a call beyond an organisation's part of an agency's day fails as an agency that is
    overloaded does; what the cache holds is answered. `parts` are by agency.
    """

    def __init__(self, supply: Supply, parts: Mapping[str, DayPart], shares: DayShares) -> None:
        self._supply = supply
        self._parts = parts
        self._shares = shares

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """As in `Supply`."""
        return self._supply.datasets

    def fetch(self, request: FetchRequest) -> Awaitable[Answers]:
        """As in `Supply`."""
        agency = self.datasets[request.dataset].agency
        part = self._parts.get(agency)
        if part is None or request.asker is None:
            return self._supply.fetch(request)
        meter = _Meter(self._shares, part, request.asker.organisation, agency)
        return self._supply.fetch(replace(request, meter=meter))
