"""A proxy before a server that is spoken to by connections: it passes on what is said, or misbehaves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

from connectors.conformance.stand_in import HOST, reset

_READ: Final = 1 << 16
_ANOTHER_PROTOCOL: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
_DRIP_SECONDS: Final = 0.1

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Opens a connection to the server."""


class Mood(StrEnum):
    """What becomes of what the server says, on connections old and new."""

    FAITHFUL = "faithful"
    SILENT = "silent"
    RESET = "reset"
    DRIP = "drip"
    ANOTHER_PROTOCOL = "another protocol"


class Proxy:
    """The proxy. It refuses connections until it `listens`."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.port: Final[int] = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._mood = Mood.FAITHFUL

    async def listen(self) -> None:
        """From now on connections are taken."""
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def turn(self, mood: Mood) -> None:
        """Changes what becomes of what the server says. A connection that suffered before is gone."""
        if mood is Mood.FAITHFUL:
            await self._end_all()
        self._mood = mood

    async def close(self) -> None:
        """Ends every connection."""
        if self._server is None:
            self._socket.close()
        else:
            self._server.close()
            await self._end_all()

    async def _end_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        server: asyncio.StreamWriter | None = None
        try:
            answers, server = await self._dial()
            asking = asyncio.create_task(_pass_on(reader, server))
            try:
                await self._answer(answers, writer)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, server):
                if end is not None:
                    end.close()

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await answers.read(_READ):
            match self._mood:
                case Mood.FAITHFUL:
                    writer.write(said)
                case Mood.SILENT:
                    await asyncio.Event().wait()
                case Mood.RESET:
                    reset(writer)
                    return
                case Mood.ANOTHER_PROTOCOL:
                    writer.write(_ANOTHER_PROTOCOL)
                    await writer.drain()
                    return
                case Mood.DRIP:
                    for byte in said:
                        writer.write(bytes((byte,)))
                        await writer.drain()
                        await asyncio.sleep(_DRIP_SECONDS)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(_READ):
        writer.write(said)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(dial: Dial) -> AsyncIterator[Proxy]:
    """A proxy that does not listen yet, for as long as the context lasts."""
    proxy = Proxy(dial)
    try:
        yield proxy
    finally:
        await proxy.close()
