"""An agency on a real socket that does what a test wants of it, well or badly."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from tests.connectors.support import CODES

CHUNK = b"x" * 65_536


@dataclass
class Call:
    """One request: the companies asked about, and the connection that it came over."""

    codes: Sequence[str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, document: object) -> None:
        body = json.dumps(document).encode()
        await self.send(head(len(body)) + body)


Behaviour = Callable[[Call], Awaitable[None]]
"""What the agency does with a request; it may close the connection by raising `ConnectionError`."""


def head(length: int, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def row(code: str, number: int = 1) -> dict[str, Any]:
    return {"code": code, "id": f"{code}-{number}", "number": f"(2026) {code[-4:]}-{number}", "day": "2026-10-01"}


async def behave(call: Call) -> None:
    await call.answer({"rows": [row(code) for code in call.codes]})


def behave_after(let_go: asyncio.Event) -> Behaviour:
    """As ever, once it is let go."""

    async def wait(call: Call) -> None:
        await let_go.wait()
        await behave(call)

    return wait


async def name_holders(call: Call) -> None:
    """Each company is held by the next."""
    rows = [row(code) | {"holder": str(CODES[(CODES.index(code) + 1) % len(CODES)])} for code in call.codes]
    await call.answer({"rows": rows})


async def freeze(call: Call) -> None:
    """Reads, and says nothing for as long as anybody listens."""
    await call.reader.read()


async def drip(call: Call) -> None:
    """A byte now and then, for ever."""
    await call.send(head(1_000_000))
    while not call.writer.is_closing():
        await call.send(b" ")
        await asyncio.sleep(0.02)


async def reset(call: Call) -> None:
    connection = call.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    call.writer.transport.abort()
    raise ConnectionError


async def hang_up_half_way(call: Call) -> None:
    await call.send(head(1_000) + b'{"rows": [')
    raise ConnectionError


async def speak_no_http(call: Call) -> None:
    await call.send(b"\x00\xff SMTP here, whom do you want?\r\n\r\n")
    raise ConnectionError


async def send_garbage(call: Call) -> None:
    await call.send(head(9) + b"<oops/> {")


async def send_200_megabytes(call: Call) -> None:
    size = 200 * 1024 * 1024
    await call.send(head(size))
    for _ in range(size // len(CHUNK)):
        await call.send(CHUNK)


async def answer_for_others(call: Call) -> None:
    await call.answer({"rows": [row(CODES[-1]) for _ in call.codes]})


async def repeat_rows(call: Call) -> None:
    await call.answer({"rows": [row(code) for code in call.codes for _ in range(3)]})


async def forget_half(call: Call) -> None:
    await call.answer({"rows": [row(code) for code in call.codes[::2]]})


async def be_busy(call: Call) -> None:
    await call.send(head(0, "429 Too Many Requests", "Retry-After: 1\r\n"))


async def fail(call: Call) -> None:
    await call.send(head(0, "500 Internal Server Error"))


@dataclass
class Agency:
    """The agency while it runs. `calls` counts requests, `gone` those whose caller went away before the answer."""

    behaviour: Behaviour = behave
    calls: int = 0
    gone: int = 0
    port: int = 0
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, tls: SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listens no more, and drops whoever is connected."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._connections):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                body = await _body(reader)
                self.calls += 1
                await self._answer(Call(json.loads(body)["codes"], reader, writer))
        self._connections.discard(writer)
        writer.close()

    async def _answer(self, call: Call) -> None:
        await self.behaviour(call)
        if call.reader.at_eof():
            self.gone += 1


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.split(b":")[1]))


@asynccontextmanager
async def agency(behaviour: Behaviour = behave, tls: SSLContext | None = None) -> AsyncIterator[Agency]:
    running = Agency(behaviour)
    await running.start(tls)
    try:
        yield running
    finally:
        await running.stop()
