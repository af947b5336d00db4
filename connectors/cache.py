"""Rows kept in memory for the seconds that a manifest allows, in aiocache.

aiocache never keeps None and its memory cache has no bound (tried on 0.12): so each entry is an envelope, and this
module forgets the least recently used ones.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from aiocache import SimpleMemoryCache  # type: ignore[import-untyped]

from connectors.contract import CompanyRows, FetchRequest, Outcome
from schema.credit_code import CreditCode

_KEPT = frozenset({Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY})
"""What may be kept: a failure or an incomplete answer must be asked again."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    columns: frozenset[str]
    rows: CompanyRows
    fresh_until: float


class RowCache:
    """At most `largest` rows (a company without rows counts as one), by dataset, company, filters and partition."""

    def __init__(self, largest: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is monotonic, in seconds."""
        # No timeout: aiocache would wrap each call in a task to hold it to one, and memory does not hang.
        self._cache = SimpleMemoryCache(timeout=None)
        self._weights: OrderedDict[str, int] = OrderedDict()
        self._weight = 0
        self._largest = largest
        self._clock = clock

    async def get(self, request: FetchRequest) -> dict[CreditCode, CompanyRows]:
        """The asked companies that are kept fresh and with all asked columns; their rows hold just these."""
        keys = {code: _key(request, code) for code in request.codes}
        now = self._clock()
        found: dict[CreditCode, CompanyRows] = {}
        for code, key in keys.items():
            envelope: _Envelope | None = await self._cache.get(key)
            if envelope is None or envelope.fresh_until <= now or not request.columns <= envelope.columns:
                continue
            self._weights.move_to_end(key)
            found[code] = _cut(envelope, request.columns)
        return found

    async def keep(self, request: FetchRequest, answers: Mapping[CreditCode, CompanyRows], time_to_live: float) -> None:
        """Keeps the whole answers among these for `time_to_live` seconds."""
        fresh_until = self._clock() + time_to_live
        for code, rows in answers.items():
            if rows.outcome in _KEPT and time_to_live > 0:
                key = _key(request, code)
                await self._cache.set(key, _Envelope(request.columns, rows, fresh_until), ttl=time_to_live)
                self._count(key, max(1, len(rows.rows)))
        while self._weight > self._largest:
            key, weight = self._weights.popitem(last=False)
            self._weight -= weight
            await self._cache.delete(key)

    async def close(self) -> None:
        """Forgets everything."""
        for key in self._weights:
            await self._cache.delete(key)
        self._weights.clear()
        self._weight = 0

    def _count(self, key: str, weight: int) -> None:
        self._weight += weight - self._weights.pop(key, 0)
        self._weights[key] = weight


def _cut(envelope: _Envelope, columns: frozenset[str]) -> CompanyRows:
    if columns == envelope.columns:
        return envelope.rows
    rows = tuple({name: row[name] for name in columns} for row in envelope.rows.rows)
    return replace(envelope.rows, rows=rows)


def _key(request: FetchRequest, code: CreditCode) -> str:
    filters = ",".join(f"{name}={day.isoformat()}" for name, day in sorted(request.filters.items()))
    return f"{request.dataset}\x1f{code.text}\x1f{filters}\x1f{request.partition}"
