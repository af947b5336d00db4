"""Quotas counted in the memory of this process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final

from cachetools import LRUCache

from gateway.errors import ConcurrencyExceededError, RateExceededError
from gateway.quotas.contract import BURST_SECONDS, Allowance, Leave

MINUTE: Final = 60.0

DAYS: Final = 3
"""So many days are there at once, from the first time zone to the last."""

_BASE: Final = 36
"""A credit code is a number to this base: kept as one, it takes a third of the memory."""


class MemoryCounters:
    """As in `Counters`. `clock` gives seconds; the rates, and the counted values, of the `keys` that asked last are
    kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, keys: int = 100_000) -> None:
        self._clock = clock
        # When each is next due if all its requests had come evenly: the generic cell rate algorithm (ITU-T I.371).
        self._due: LRUCache[str, float] = LRUCache(keys)
        self._under_way: Counter[str] = Counter()
        self._day = ""
        self._seen: dict[str, set[int]] = {}
        self._taken: dict[str, Counter[str]] = {}
        self._values: LRUCache[tuple[str, str], frozenset[int]] = LRUCache(keys)

    async def enter(self, allowances: Sequence[Allowance], request_id: str) -> Leave:  # noqa: ARG002 - the interface's
        """As in `Counters`."""
        now = self._clock()
        counted = [allowance.key for allowance in allowances if allowance.concurrent is not None]
        for allowance in allowances:
            if allowance.concurrent is not None and self._under_way[allowance.key] >= allowance.concurrent:
                raise ConcurrencyExceededError
            if allowance.requests is not None:
                wait = self._due.get(allowance.key, now) - BURST_SECONDS - now
                if wait > 0:
                    raise RateExceededError(wait)
        for allowance in allowances:
            if allowance.requests is not None:
                due = max(self._due.get(allowance.key, now), now)
                self._due[allowance.key] = due + MINUTE / allowance.requests
        for key in counted:
            self._under_way[key] += 1
        return partial(self._leave, counted)

    async def admit(self, allowances: Sequence[Allowance], companies: Collection[str], day: str) -> bool:
        """As in `Counters`. On a new day the days before are forgotten."""
        if day != self._day:
            self._day, self._seen = day, {}
        bounded = [allowance for allowance in allowances if allowance.companies is not None]
        asked = {int(company, _BASE) for company in companies} if bounded else set()
        for allowance in bounded:
            seen = self._seen.get(allowance.key, set())
            if len(seen) + len(asked - seen) > (allowance.companies or 0):
                return False
        for allowance in bounded:
            self._seen.setdefault(allowance.key, set()).update(asked)
        return True

    async def take(self, key: str, most: int | None, day: str) -> bool:
        """As in `Counters`. The last days are kept on which anything was taken."""
        taken = self._taken.get(day)
        if taken is None:
            taken = self._taken[day] = Counter()
            for past in sorted(self._taken)[:-DAYS]:
                del self._taken[past]
        if most is not None and taken[key] >= most:
            return False
        taken[key] += 1
        return True

    async def admit_values(self, key: str, values: Collection[str], most: int, day: str) -> bool:
        """As in `Counters`."""
        seen = self._values.get((day, key), frozenset()) | {int(value, _BASE) for value in values}
        if len(seen) > most:
            return False
        self._values[day, key] = seen
        return True

    async def close(self) -> None:
        """As in `Counters`: nothing is under way."""

    def _leave(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
