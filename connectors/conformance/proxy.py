"""A proxy before a server that is spoken to by connections: it passes on what is said, or misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

from connectors.conformance.listener import Listener
from connectors.conformance.stand_in import reset

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
        self._listener = Listener(self._converse)
        self.port: Final[int] = self._listener.port
        self._mood = Mood.FAITHFUL

    async def listen(self) -> None:
        """From now on connections are taken."""
        await self._listener.listen()

    async def turn(self, mood: Mood) -> None:
        """Changes what becomes of what the server says. A connection that suffered before is gone."""
        if mood is Mood.FAITHFUL:
            await self._listener.end_all()
        self._mood = mood

    async def close(self) -> None:
        """Ends every connection."""
        await self._listener.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
