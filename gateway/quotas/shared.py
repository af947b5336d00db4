"""Quotas counted in Redis, or what speaks like it, for all instances together.

Each question is one script that runs there as a whole. While the store does not answer, each instance
counts for itself: that lets callers have up to as many times their quota as there are instances, and never none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final

from redis.asyncio import Connection

from connectors.errors import ConnectorError
from connectors.redis_address import connection_options
from gateway.errors import ConcurrencyExceededError, RateExceededError, SettingsInvalidError
from gateway.quotas.contract import BURST_SECONDS, Allowance, Leave
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.trips import Script, Trips
from gateway.settings import PREFIX

DAY_SECONDS: Final = 90_000
"""How long a day's companies are kept: a day, and an hour for clocks that differ."""

_ENTER: Final = Script.of("""
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
""")
"""Milliseconds to wait, -1 for too many at once, 0 where the request was counted. Two keys an allowance: when it is
next due (never later than the burst allows, for the store's clock may have been set back since), and the requests
under way with the moment at which each is forgotten, should nobody end it."""

_ADMIT: Final = Script.of("""
local digests, members = ARGV[#ARGV], {}
for i = 1, #digests, 32 do members[#members + 1] = string.sub(digests, i, i + 31) end
for i, key in ipairs(KEYS) do
  local new = 0
  for _, member in ipairs(members) do
    if redis.call('SISMEMBER', key, member) == 0 then new = new + 1 end
  end
  if redis.call('SCARD', key) + new > tonumber(ARGV[i + 1]) then return 0 end
end
for _, key in ipairs(KEYS) do
  for _, member in ipairs(members) do redis.call('SADD', key, member) end
  redis.call('EXPIRE', key, ARGV[1])
end
return 1
""")
"""Whether so many may be counted under each key: 1, and then they are, or 0. The last argument is all their digests, of
32 digits each, as one text: a thousand arguments take longer to be written and read than all else."""

_TAKE: Final = Script.of("""
local most = tonumber(ARGV[2])
if most >= 0 and tonumber(redis.call('GET', KEYS[1]) or 0) >= most then return 0 end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""")
"""Whether there was one more of so many, -1 for any number: 1, and then it is taken, or 0."""


class SharedCounters:
    """As in `Counters`. Names in the store are digests under the `key`: neither companies nor users can be told there.

    `lease` is the most seconds that a request can take: after these it is not counted any more, whoever forgot it.
    `deadline` is that of each trip, in seconds.
    """

    def __init__(self, connection: Connection, key: bytes, *, lease: float, deadline: float) -> None:
        self._trips = Trips(connection, (_ENTER, _ADMIT, _TAKE), deadline)
        self._hash = blake2b(digest_size=16, key=key)
        self._lease = lease
        self._here = MemoryCounters()

    async def enter(self, allowances: Sequence[Allowance], request_id: str) -> Leave:
        """As in `Counters`."""
        names = [self._names(allowance.key) for allowance in allowances]
        held = [pair[1] for pair, allowance in zip(names, allowances, strict=True) if allowance.concurrent is not None]
        bounds = [bound or 0 for one in allowances for bound in (one.requests, one.concurrent)]
        keys = [name for pair in names for name in pair]
        asked = _ENTER.call(keys, [request_id, int(self._lease * 1_000), int(BURST_SECONDS * 1_000), *bounds])
        try:
            wait = await self._trips.ask(asked)
        except asyncio.CancelledError:
            # It may be counted yet, and then this is asked after it.
            self._leave(held, request_id)
            raise
        if wait is None:
            return await self._here.enter(allowances, request_id)
        if wait < 0:
            raise ConcurrencyExceededError
        if wait > 0:
            raise RateExceededError(wait / 1_000)
        return partial(self._leave, held, request_id)

    async def admit(self, allowances: Sequence[Allowance], companies: Collection[str], day: str) -> bool:
        """As in `Counters`."""
        bounded = [allowance for allowance in allowances if allowance.companies is not None]
        if not bounded or not companies:
            return True
        names = [f"xinqiao:quota:{day}:{self._digest(allowance.key)}" for allowance in bounded]
        most = [allowance.companies or 0 for allowance in bounded]
        admitted = await self._trips.ask(_ADMIT.call(names, [DAY_SECONDS, *most, self._digests(companies)]))
        return await self._here.admit(allowances, companies, day) if admitted is None else bool(admitted)

    async def take(self, key: str, most: int | None, day: str) -> bool:
        """As in `Counters`."""
        name, bound = f"xinqiao:quota:taken:{day}:{self._digest(key)}", -1 if most is None else most
        taken = await self._trips.ask(_TAKE.call([name], [DAY_SECONDS, bound]))
        return await self._here.take(key, most, day) if taken is None else bool(taken)

    async def admit_values(self, key: str, values: Collection[str], most: int, day: str) -> bool:
        """As in `Counters`."""
        name = f"xinqiao:quota:{day}:{self._digest(key)}"
        admitted = await self._trips.ask(_ADMIT.call([name], [DAY_SECONDS, most, self._digests(values)]))
        return await self._here.admit_values(key, values, most, day) if admitted is None else bool(admitted)

    async def close(self) -> None:
        """As in `Counters`. The connection is closed with them."""
        await self._trips.close()

    def _leave(self, names: Sequence[str], request_id: str) -> None:
        """Without waiting for it: the answer is on its way."""
        for name in names:
            self._trips.ask(("ZREM", name, request_id))

    def _names(self, key: str) -> tuple[str, str]:
        digest = self._digest(key)
        return f"xinqiao:quota:rate:{digest}", f"xinqiao:quota:under-way:{digest}"

    def _digests(self, texts: Iterable[str]) -> str:
        return "".join(map(self._digest, texts))

    def _digest(self, text: str) -> str:
        keyed = self._hash.copy()
        keyed.update(text.encode())
        return keyed.hexdigest()


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
    connection: Connection = parts.pop("connection_class", Connection)(**parts)
    return SharedCounters(connection, key, lease=lease, deadline=deadline)
