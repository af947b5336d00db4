"""The store of the cache's second level: Redis, or what speaks like it, through aiocache's backend.

It can be done without: whatever fails there is an absent entry. A trip that takes longer than its deadline has failed,
and after a failure there is a pause, so that a dead store does not cost each request a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, TypeVar

from aiocache.backends.redis import RedisCache  # type: ignore[import-untyped]
from aiocache.serializers import NullSerializer  # type: ignore[import-untyped]
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from connectors.outage import Outages
from connectors.redis_address import connection_options

CONNECTIONS: Final = 8
"""The most connections of one process. aiocache's own pool raises beyond them; this one waits, inside the deadline."""

MOST_NAMES: Final = 1_000
"""The most entries that one trip asks for."""

_ADD: Final = """
local sum = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), ARGV[2]) + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', sum), 'EX', ARGV[3])
return sum
"""

T = TypeVar("T")


def open_store(address: str, environment: Mapping[str, str], deadline: float) -> RowStore:
    """The store at an address whose user and password may be `${NAME}`; it is not asked yet, and may be down.

    `deadline` is in seconds, for each trip. Raises `ConnectionNotConfigured` where the address is none, or the
    environment lacks a name; it tells no value.
    """
    parts = connection_options(address, environment, "the cache")
    cache = RedisCache(
        serializer=NullSerializer(encoding=None),
        # No timeout: aiocache would wrap each call in a task to hold it to one; the trip has its deadline.
        timeout=None,
        endpoint=parts.pop("host"),
        port=parts.pop("port", 6379),
        db=parts.pop("db", 0),
        password=parts.pop("password", None),
        pool_max_size=CONNECTIONS,
        connection_pool_class=BlockingConnectionPool,
        # Once more at once: the server may have closed a connection that waited.
        connection_pool_kwargs={**parts, "timeout": None, "retry": Retry(NoBackoff(), 1)},
    )
    return RowStore(cache, deadline)


@dataclass(eq=False, slots=True)
class _Trip:
    """What one trip asks for."""

    names: list[bytes]
    task: asyncio.Task[Sequence[bytes | None]] = field(init=False)


class RowStore:
    """Bytes by name, in a store elsewhere. Made by `open_store`; whoever opened it closes it.

    Never raises. What several ask for in one round of the event loop leaves as one trip.
    """

    def __init__(self, cache: RedisCache, deadline: float) -> None:
        self.deadline = deadline
        # Two of them: a store that is full can still be read.
        self.reading = Outages("the cache's second level")
        self.writing = Outages("the cache's second level, for writing,")
        self._cache = cache
        self._add = cache.client.register_script(_ADD)
        self._boarding: _Trip | None = None
        self._trips: set[asyncio.Task[Sequence[bytes | None]]] = set()

    async def get(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """What is kept under each name, None where nothing is, or the store does not answer."""
        values: list[bytes | None] = []
        for start in range(0, len(names), MOST_NAMES):
            values += await self._get(names[start : start + MOST_NAMES])
        return values

    async def put(self, pairs: Sequence[tuple[bytes, bytes]], seconds: float) -> bool:
        """Keeps the values under their names for so long. Whether the store has taken them."""

        async def put() -> bool:
            await self._cache.multi_set(pairs, ttl=seconds)
            return True

        return await self._travel(self.writing, put, otherwise=False)

    async def add(self, name: bytes, number: int, known: int, seconds: float) -> int | None:
        """Adds to the number under a name, which was `known` to be no less, and keeps it for so long; the sum, None
        where the store does not answer.
        """

        async def add() -> int:
            return int(await self._add([name], [number, known, ceil(seconds)]))

        return await self._travel(self.writing, add, otherwise=None)

    async def close(self) -> None:
        """Ends every trip and closes every connection."""
        trips = tuple(self._trips)
        for trip in trips:
            trip.cancel()
        await asyncio.gather(*trips, return_exceptions=True)
        # Not by the cache's own `close`, which calls what redis-py has deprecated.
        await self._cache.client.aclose()

    async def _get(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        if self.reading.is_paused():
            return [None] * len(names)
        trip = self._boarding
        if trip is None or len(trip.names) + len(names) > MOST_NAMES:
            trip = self._boarding = self._start()
        first = len(trip.names)
        trip.names.extend(names)
        # The trip is everybody's: who leaves does not end it.
        await asyncio.wait([trip.task])
        return trip.task.result()[first : first + len(names)]

    def _start(self) -> _Trip:
        trip = _Trip([])
        trip.task = asyncio.create_task(self._run(trip), name="second level of the cache")
        self._trips.add(trip.task)
        trip.task.add_done_callback(self._trips.discard)
        return trip

    async def _run(self, trip: _Trip) -> Sequence[bytes | None]:
        # A task begins in the loop's next round: until then others add their names.
        if self._boarding is trip:
            self._boarding = None
        nothing: Sequence[bytes | None] = [None] * len(trip.names)
        return await self._travel(self.reading, lambda: self._cache.multi_get(trip.names), otherwise=nothing)

    async def _travel(self, outages: Outages, call: Callable[[], Awaitable[T]], *, otherwise: T) -> T:
        if not outages.admit():
            return otherwise
        try:
            async with asyncio.timeout(self.deadline):
                result = await call()
        except Exception as error:  # noqa: BLE001  (whatever a store answers with must not take the agencies' answers along)
            outages.failed(error)
            return otherwise
        outages.succeeded()
        return result
