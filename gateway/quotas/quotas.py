"""What each caller is allowed, and the pipeline behind it."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from typing import Protocol

import msgspec
from cachetools import LRUCache

from gateway.errors import CompaniesExceededError, VerificationsExceededError
from gateway.messages import Answered, Principal, Received
from gateway.quotas.contract import Allowance, Counters
from gateway.settings import AllowanceSettings, QuotaSettings
from gateway.stages.roots import RootCompanies
from policies.publicity import CHINA
from schema.company_key import comparable_name
from schema.credit_code import CreditCode


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
            raise CompaniesExceededError(self._until_midnight())

    async def check_question(self, principal: Principal, companies: RootCompanies) -> None:
        """Counts what a request gives to find companies by, as if each were a company, and what it gives to be
        verified. Raises `CompaniesExceededError`, `VerificationsExceededError`.

        Counted before anybody is asked: what comes of it must not depend on whether there is such a company.
        """
        await self.check(principal, {_digest(lookup.kind, lookup.key) for lookup in companies.lookups()})
        most = self._settings.verifications
        if most is None:
            return
        values: defaultdict[CreditCode, set[str]] = defaultdict(set)
        for asked in companies.asked:
            for code in filter(None, asked.codes if asked.elements else ()):
                values[code] |= {_digest(field, comparable_name(text)) for field, text in asked.elements.items()}
        for code, given in values.items():
            key = f"verified\0{principal.organisation}\0{code}"
            if not await self.counters.admit_values(key, given, most, self._now().date().isoformat()):
                raise VerificationsExceededError(self._until_midnight())

    def _until_midnight(self) -> float:
        now = self._now()
        midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), CHINA)
        return (midnight - now).total_seconds()

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), CHINA)


def _digest(kind: str, text: str) -> str:
    """What stands for a value among those that are counted: longer than a credit code, so that none passes for one."""
    return blake2b(f"{kind}\0{text}".encode(), digest_size=16).hexdigest()


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
