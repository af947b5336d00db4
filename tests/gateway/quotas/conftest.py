"""What the tests of quotas share: counters in memory and in a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from gateway.quotas.contract import Counters
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.shared import SharedCounters, open_shared
from tests.connectors.redis_server import RedisServer

KEY = b"k" * 32
PATIENCE = 10.0


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.kill()
    asyncio.run(server.close())


def shared(server: RedisServer, *, lease: float = 60, deadline: float = PATIENCE) -> SharedCounters:
    return open_shared(server.address, {}, KEY, lease=lease, deadline=deadline)


@pytest.fixture
async def store(redis: RedisServer) -> AsyncIterator[Redis]:
    """Looks into the server, which holds nothing yet."""
    client = Redis(port=redis.port)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "shared"])
async def counters(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters()
        return
    server = request.getfixturevalue("redis")
    made = shared(server)
    async with Redis(port=server.port) as client:
        await client.flushall()
    yield made
    await made.close()
