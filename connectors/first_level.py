"""The cache's first level: what datasets said of companies, in this process's memory, for so long and at most so much.

aiocache's memory cache has no bound, never keeps None, and sets a timer for each entry that is to end (tried on 0.12):
of a hundred thousand companies that is half a million objects, through which the collector of cycles walks while every
request waits. So it is given no times to live. Entries end here, those of one second together, and the least recently
used ones are forgotten where there are too many.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from math import ceil
from typing import Final

import msgspec
from aiocache import SimpleMemoryCache  # type: ignore[import-untyped]

from connectors.contract import CompanyRows

ENDED_AT_ONCE: Final = 1_000
"""How many entries are forgotten before others have their turn on the event loop."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Rows of a company that hold these columns. They are fresh, and kept, until these moments of the event loop's
    clock.
    """

    columns: frozenset[str]
    rows: CompanyRows
    fresh_until: float
    kept_until: float


class _Memory(SimpleMemoryCache):  # type: ignore[misc]
    """aiocache's memory cache, with ways to look and forget without awaiting: it is a dictionary behind coroutines."""

    def look(self, key: str) -> Entry | None:
        """What is kept under the key."""
        entry: Entry | None = self._cache.get(key)
        return entry

    def forget(self, key: str) -> None:
        """Keeps nothing under the key."""
        self._cache.pop(key, None)


class FirstLevel:
    """At most `largest` rows, by key; a company without rows counts as one."""

    def __init__(self, largest: int) -> None:
        # No timeout: aiocache would wrap each call in a task to hold it to one, and memory does not hang.
        self._memory = _Memory(timeout=None)
        self._weights: OrderedDict[str, int] = OrderedDict()
        self._weight = 0
        self._largest = largest
        self._ending: dict[int, set[str]] = {}
        self._timers: dict[int, asyncio.Handle] = {}

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return self._weight

    def look(self, key: str) -> Entry | None:
        """What is kept under the key, fresh or not."""
        return self._memory.look(key)

    def use(self, key: str) -> None:
        """What is kept under the key has been used."""
        self._weights.move_to_end(key)

    async def keep(self, entries: Sequence[tuple[str, Entry]]) -> None:
        """Keeps the entries, those that are to be kept at all."""
        now = asyncio.get_running_loop().time()
        kept = [(key, entry) for key, entry in entries if entry.kept_until > now]
        for key, _ in kept:
            self._forget(key)
        await self._memory.multi_set(kept)
        for key, entry in kept:
            weight = self._weights[key] = max(1, len(entry.rows.rows))
            self._weight += weight
            self._ending_with(entry).add(key)
        while self._weight > self._largest:
            self._forget(next(iter(self._weights)))

    def close(self) -> None:
        """Forgets everything."""
        for timer in self._timers.values():
            timer.cancel()
        for key in self._weights:
            self._memory.forget(key)
        for kept in (self._timers, self._ending, self._weights):
            kept.clear()
        self._weight = 0

    def _forget(self, key: str) -> None:
        entry = self._memory.look(key)
        if entry is not None:
            self._memory.forget(key)
            self._weight -= self._weights.pop(key)
            self._ending_with(entry).discard(key)

    def _ending_with(self, entry: Entry) -> set[str]:
        """The keys of what ends in the same second."""
        second = ceil(entry.kept_until)
        ending = self._ending.get(second)
        if ending is None:
            ending = self._ending[second] = set()
            self._timers[second] = asyncio.get_running_loop().call_at(second, self._end, second)
        return ending

    def _end(self, second: int) -> None:
        """Forgets what has ended in this second, some of it at a time."""
        ending = self._ending[second]
        for key in [ending.pop() for _ in range(min(len(ending), ENDED_AT_ONCE))]:
            self._memory.forget(key)
            self._weight -= self._weights.pop(key)
        if ending:
            self._timers[second] = asyncio.get_running_loop().call_soon(self._end, second)
        else:
            del self._ending[second], self._timers[second]
