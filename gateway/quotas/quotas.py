"""What each caller is allowed, and the pipeline behind it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec
from cachetools import LRUCache

from gateway.errors import CompaniesExceededError
from gateway.messages import Answered, Principal, Received
from gateway.quotas.contract import Allowance, Counters
from gateway.settings import AllowanceSettings, QuotaSettings
from policies.publicity import CHINA


class Pipeline(Protocol):
    """What answers requests."""

    async def answer(self, received: Received) -> Answered:
        """The answer to one request."""
        ...


class Quotas:
    """The allowances of organisations and users, and their counters. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        settings: QuotaSettings,
        counters: Counters,
        clock: Callable[[], float] = time.time,
        cache_entries: int = 10_000,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.counters = counters
        self._known: LRUCache[tuple[str, str], tuple[Allowance, ...]] = LRUCache(cache_entries)

    def allowances(self, principal: Principal) -> Sequence[Allowance]:
        """What bounds this caller: as its organisation's, and as its own; those without any bound are left out."""
        key = (principal.organisation, principal.subject)
        known = self._known.get(key)
        if known is None:
            settings = self._settings
            of_organisation = settings.organisations.get(principal.organisation, settings.organisation)
            both = (
                _allowance(f"organisation\0{principal.organisation}", of_organisation),
                _allowance(f"user\0{principal.organisation}\0{principal.subject}", settings.user),
            )
            known = self._known[key] = tuple(one for one in both if one is not None)
        return known

    async def admits(self, principal: Principal, companies: Collection[str]) -> bool:
        """Counts the companies of one level of a request. Whether they may be asked about."""
        allowances = self.allowances(principal)
        if not allowances or not companies:
            return True
        return await self.counters.admit(allowances, companies, self._now().date().isoformat())

    async def check(self, principal: Principal, companies: Collection[str]) -> None:
        """The same for the companies that a request names. Raises `CompaniesExceededError`."""
        if not await self.admits(principal, companies):
            now = self._now()
            midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), CHINA)
            raise CompaniesExceededError((midnight - now).total_seconds())

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), CHINA)


def _allowance(key: str, settings: AllowanceSettings) -> Allowance | None:
    bounds = (settings.requests, settings.concurrent, settings.companies)
    return None if all(bound is None for bound in bounds) else Allowance(key, *bounds)


class Admission(msgspec.Struct, frozen=True):
    """The pipeline, for requests that their callers' quotas allow."""

    pipeline: Pipeline
    quotas: Quotas

    async def answer(self, received: Received) -> Answered:
        """As in `Pipeline`. Raises `RateExceededError` and `ConcurrencyExceededError` too."""
        allowances = self.quotas.allowances(received.principal)
        if not allowances:
            return await self.pipeline.answer(received)
        leave = await self.quotas.counters.enter(allowances, received.request_id)
        try:
            return await self.pipeline.answer(received)
        finally:
            leave()
