"""What the tests of quotas share: counters in memory and in a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

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


@pytest.fixture(params=["memory", "shared"])
async def counters(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters()
        return
    server = request.getfixturevalue("redis")
    made = shared(server)
    await made._client.flushall()
    yield made
    await made.close()
