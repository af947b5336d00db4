"""A server that stands in for an agency's system: it answers as that did, or as a fault would have it.

It repeats what the system said when somebody looked on, so that it needs neither the system nor its secrets.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from connectors.conformance.listener import HOST, Listener
from connectors.watch import Exchange

WSDL: Final = "WSDL"
"""The place of calls that fetch what describes the system: these are always answered as the system did."""

_LINGER: Final = struct.pack("ii", 1, 0)
"""For `SO_LINGER`: a close that is a reset."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A call that came in, when (in seconds of the event loop's clock), and what the system answered to it."""

    method: str
    target: str
    moment: float
    answer: Exchange = field(repr=False)


Behaviour = Callable[[Heard, asyncio.StreamWriter], Awaitable[bool]]
"""What is done about a call; it gives whether the connection stays open. It is cancelled when the stand-in ends."""


class StandIn:
    """The server. It refuses connections until it `listens`."""

    def __init__(self, exchanges: Sequence[Exchange], url: str) -> None:
        """`url` is the system's own, in place of which the stand-in has `self.url`."""
        parts = urlsplit(url)
        self._listener = Listener(self._converse)
        origin = f"http://{HOST}:{self._listener.port}"
        self.url = origin + parts.path
        self._exchanges = exchanges
        self._origins = (f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".encode(), origin.encode())
        self.behaviour: Behaviour = repeat
        self.heard: list[Heard] = []

    async def listen(self) -> None:
        """From now on connections are taken."""
        await self._listener.listen()

    async def close(self) -> None:
        """Ends every conversation."""
        await self._listener.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = self._answer_to(method, target, body)
        heard = Heard(method, target, asyncio.get_running_loop().time(), answer)
        described = answer.place == WSDL
        if not described:
            self.heard.append(heard)
        return await (repeat if described else self.behaviour)(heard, writer)

    def _answer_to(self, method: str, target: str, body: bytes) -> Exchange:
        """What the system said to this call in the end, or to the one most like it: some bodies differ each time."""
        for alike, exchanges in (
            (lambda one: (one.method, one.target, one.body) == (method, target, body), reversed(self._exchanges)),
            (lambda one: (one.method, one.target) == (method, target), self._exchanges),
            (lambda one: one.target.partition("?")[0] == target.partition("?")[0], self._exchanges),
        ):
            found = next(filter(alike, exchanges), None)
            if found is not None:
                content = found.content.replace(*self._origins)
                location = found.location.encode("latin-1").replace(*self._origins).decode("latin-1")
                return Exchange(found.place, method, target, body, found.status, content, location=location)
        return Exchange("", method, target, body, 404)


@asynccontextmanager
async def standing_in(exchanges: Sequence[Exchange], url: str) -> AsyncIterator[StandIn]:
    """A stand-in that does not listen yet, for as long as the context lasts."""
    stand_in = StandIn(exchanges, url)
    try:
        yield stand_in
    finally:
        await stand_in.close()


def head(length: int | None, status: int = 200, more: str = "") -> bytes:
    """The head of an answer, with a body of so many bytes, or in chunks."""
    carried = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\n{carried}\r\n{more}\r\n".encode()


async def repeat(heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """Answers as the system did."""
    answer = heard.answer
    more = f"Location: {answer.location}\r\n" if answer.location else ""
    writer.write(head(len(answer.content), answer.status or 404, more) + answer.content)
    await writer.drain()
    return True


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection as a crash does: what was not sent yet is lost."""
    own = writer.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    writer.transport.abort()
