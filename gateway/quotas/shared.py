"""Quotas counted in Redis, or what speaks like it, for all instances together.

Each question is one trip, and one script that runs there as a whole. While the store does not answer, each instance
counts for itself: that lets callers have up to as many times their quota as there are instances, and never none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from connectors.errors import ConnectorError
from connectors.outage import Outages
from connectors.redis_address import connection_options
from gateway.errors import ConcurrencyExceededError, RateExceededError, SettingsInvalidError
from gateway.quotas.contract import BURST_SECONDS, Allowance, Leave
from gateway.quotas.memory import MemoryCounters
from gateway.settings import PREFIX

CONNECTIONS: Final = 16
"""The most connections of one process; further trips wait for one, inside their deadline."""

DAY_SECONDS: Final = 90_000
"""How long a day's companies are kept: a day, and an hour for clocks that differ."""

_ENTER: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
local due = {}
for i = 1, #KEYS / 2 do
  local rate, most = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  if most > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', now)
    if redis.call('ZCARD', KEYS[2 * i]) >= most then return -1 end
  end
  if rate > 0 then
    due[i] = math.max(tonumber(redis.call('GET', KEYS[2 * i - 1]) or now), now)
    due[i] = math.min(due[i], now + burst + 60000 / rate)
    if due[i] - burst > now then return math.ceil(due[i] - burst - now) end
  end
end
for i = 1, #KEYS / 2 do
  local rate, most = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  if most > 0 then
    redis.call('ZADD', KEYS[2 * i], now + lease, ARGV[1])
    redis.call('PEXPIRE', KEYS[2 * i], lease)
  end
  if rate > 0 then
    local next = due[i] + 60000 / rate
    redis.call('SET', KEYS[2 * i - 1], string.format('%.3f', next), 'PX', math.ceil(next - now))
  end
end
return 0
"""
"""Milliseconds to wait, -1 for too many at once, 0 where the request was counted. Two keys an allowance: when it is
next due (never later than the burst allows, for the store's clock may have been set back since), and the requests
under way with the moment at which each is forgotten, should nobody end it."""

_ADMIT: Final = """
local count = #KEYS
for i = 1, count do
  local new = 0
  for j = count + 2, #ARGV do
    if redis.call('SISMEMBER', KEYS[i], ARGV[j]) == 0 then new = new + 1 end
  end
  if redis.call('SCARD', KEYS[i]) + new > tonumber(ARGV[i + 1]) then return 0 end
end
for i = 1, count do
  for j = count + 2, #ARGV do redis.call('SADD', KEYS[i], ARGV[j]) end
  redis.call('EXPIRE', KEYS[i], ARGV[1])
end
return 1
"""

_TAKE: Final = """
local most = tonumber(ARGV[2])
if most >= 0 and tonumber(redis.call('GET', KEYS[1]) or 0) >= most then return 0 end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
"""Whether there was one more of so many, -1 for any number: 1, and then it is taken, or 0."""


class SharedCounters:
    """As in `Counters`. Names in the store are digests under the `key`: neither companies nor users can be told there.

    `lease` is the most seconds that a request can take: after these it is not counted any more, whoever forgot it.
    `deadline` is that of each trip, in seconds.
    """

    def __init__(self, client: Redis, key: bytes, *, lease: float, deadline: float) -> None:
        self._client = client
        self._enter = client.register_script(_ENTER)
        self._admit = client.register_script(_ADMIT)
        self._take = client.register_script(_TAKE)
        self._key = key
        self._lease = lease
        self._deadline = deadline
        self._outages = Outages("the store of quotas")
        self._here = MemoryCounters()
        self._leaving: set[asyncio.Task[None]] = set()

    async def enter(self, allowances: Sequence[Allowance], request_id: str) -> Leave:
        """As in `Counters`."""
        names = [self._names(allowance.key) for allowance in allowances]
        held = [pair[1] for pair, allowance in zip(names, allowances, strict=True) if allowance.concurrent is not None]
        bounds = [bound or 0 for one in allowances for bound in (one.requests, one.concurrent)]
        try:
            wait = await self._trip(
                lambda: self._enter(
                    [name for pair in names for name in pair],
                    [request_id, int(self._lease * 1_000), int(BURST_SECONDS * 1_000), *bounds],
                )
            )
        except asyncio.CancelledError:
            # Nobody knows whether it was counted.
            self._leave(held, request_id)
            raise
        if wait is None:
            return await self._here.enter(allowances, request_id)
        if wait < 0:
            raise ConcurrencyExceededError
        if wait > 0:
            raise RateExceededError(wait / 1_000)
        return (lambda: self._leave(held, request_id)) if held else _nothing

    async def admit(self, allowances: Sequence[Allowance], companies: Collection[str], day: str) -> bool:
        """As in `Counters`."""
        bounded = [allowance for allowance in allowances if allowance.companies is not None]
        if not bounded or not companies:
            return True
        names = [f"xinqiao:quota:{day}:{self._digest(allowance.key)}" for allowance in bounded]
        most = [allowance.companies or 0 for allowance in bounded]
        digests = [self._digest(company) for company in companies]
        admitted = await self._trip(lambda: self._admit(names, [DAY_SECONDS, *most, *digests]))
        return await self._here.admit(allowances, companies, day) if admitted is None else bool(admitted)

    async def take(self, key: str, most: int | None, day: str) -> bool:
        """As in `Counters`."""
        name, bound = f"xinqiao:quota:taken:{day}:{self._digest(key)}", -1 if most is None else most
        taken = await self._trip(lambda: self._take([name], [DAY_SECONDS, bound]))
        return await self._here.take(key, most, day) if taken is None else bool(taken)

    async def admit_values(self, key: str, values: Collection[str], most: int, day: str) -> bool:
        """As in `Counters`."""
        name, digests = f"xinqiao:quota:{day}:{self._digest(key)}", [self._digest(value) for value in values]
        admitted = await self._trip(lambda: self._admit([name], [DAY_SECONDS, most, *digests]))
        return await self._here.admit_values(key, values, most, day) if admitted is None else bool(admitted)

    async def close(self) -> None:
        """As in `Counters`. The connections are closed with them."""
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=self._deadline)
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._client.aclose()

    def _leave(self, names: Sequence[str], request_id: str) -> None:
        """Without waiting for it: the answer is on its way."""

        async def leave() -> None:
            await self._trip(lambda: self._removed(names, request_id))

        task = asyncio.create_task(leave(), name="quota")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _removed(self, names: Sequence[str], request_id: str) -> int:
        async with self._client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.zrem(name, request_id)
            await pipeline.execute()
        return 0

    async def _trip(self, ask: Callable[[], Awaitable[Any]]) -> int | None:
        """What the store answers; None where it does not."""
        if not self._outages.admit():
            return None
        try:
            async with asyncio.timeout(self._deadline):
                answer = int(await ask())
        except Exception as error:  # noqa: BLE001 - whatever a store answers with must not take the caller's answer along
            self._outages.failed(error)
            return None
        self._outages.succeeded()
        return answer

    def _names(self, key: str) -> tuple[str, str]:
        digest = self._digest(key)
        return f"xinqiao:quota:rate:{digest}", f"xinqiao:quota:under-way:{digest}"

    def _digest(self, text: str) -> str:
        return blake2b(text.encode(), digest_size=16, key=self._key).hexdigest()


def _nothing() -> None:
    """Nothing is under way to be ended."""


def open_shared(
    address: str, environment: Mapping[str, str], key: bytes, *, lease: float, deadline: float
) -> SharedCounters:
    """Counters in the store at an address, whose user and password may be `${NAME}`; it is not asked yet, and may be
    down. Raises `SettingsInvalidError`, which tells no value.
    """
    try:
        parts = connection_options(address, environment, "the store of quotas")
    except ConnectorError as error:
        raise SettingsInvalidError(f"{PREFIX}QUOTAS__URL: {error}") from None
    retry = Retry(NoBackoff(), 1)
    pool = BlockingConnectionPool(**parts, max_connections=CONNECTIONS, timeout=None, retry=retry)
    return SharedCounters(Redis.from_pool(pool), key, lease=lease, deadline=deadline)
