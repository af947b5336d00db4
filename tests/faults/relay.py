"""Between the gateway and what it stands on: a way that can be cut, or go silent as when a cable is pulled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """The way, at `port` of this machine. Whoever goes it while it is silent is never answered, not even later."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._passes = asyncio.Event()
        self._passes.set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.StreamWriter] = set()
        self.port = 0

    def silence(self) -> None:
        """What is said from now on, over connections that there are and new ones, gets lost."""
        self._passes.clear()
        for task in self._under_way:
            task.cancel()

    def restore(self) -> None:
        """New connections are as they should be; those that went silent stay so."""
        self._passes.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        if not self._passes.is_set():
            return
        far_reader, far_writer = await self._connect()
        self._connections.add(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._under_way.add(asyncio.create_task(_carry(source, sink)))

    def close(self) -> None:
        for task in self._under_way:
            task.cancel()
        for writer in self._connections:
            writer.transport.abort()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while said := await source.read(65_536):
            sink.write(said)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def relay(connect: Callable[[], Awaitable[Streams]]) -> AsyncIterator[Relay]:
    running = Relay(connect)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        running.close()


@asynccontextmanager
async def relay_to_postgresql(address: str) -> AsyncIterator[tuple[Relay, str]]:
    """The way to a database at a socket in the file system, and the database's address by that way."""
    parts = urlsplit(address)
    (folder,) = parse_qs(parts.query)["host"]
    async with relay(lambda: asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")) as running:
        name = parts.path.removeprefix("/")
        yield running, f"postgresql+asyncpg://postgres:@127.0.0.1:{running.port}/{name}?ssl=disable"
