"""Callers that speak HTTP byte by byte, as well or as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.connectors.support import CODES
from tests.faults.agency import Agency, agency
from tests.faults.installation import COMMAND, QUERY, Gateway, penalties, serving

ASKED = [str(code) for code in CODES[:3]]
PATIENT = 60
"""Seconds that an agency is given by its manifest: beyond what is waited for here."""


@asynccontextmanager
async def gateway_over_one(
    folder: Path, command: Sequence[str] = COMMAND, time_to_live: int = 0, **settings: str
) -> AsyncIterator[tuple[Gateway, Agency]]:
    async with agency() as inspectors:
        supplier = penalties("zhejiang-penalties", inspectors.url, time_to_live=time_to_live, timeout=PATIENT)
        async with serving(folder, [supplier], command, **settings) as running:
            yield running, inspectors


def body_of(codes: Sequence[str] = ASKED, query: str = QUERY) -> bytes:
    return json.dumps({"query": query, "variables": {"codes": codes}}).encode()


def head_of(length: int, **fields: str) -> bytes:
    told = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(length), "X-Timeout-Ms": "20000"}
    told |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = ["POST /graphql HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def request(codes: Sequence[str] = ASKED, query: str = QUERY, **fields: str) -> bytes:
    body = body_of(codes, query)
    return head_of(len(body), **fields) + body


@dataclass(frozen=True)
class Heard:
    """What a caller was answered."""

    status: int
    fields: Mapping[str, str]
    json: Any


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def drip(self, data: bytes, every: float = 0.2) -> None:
        """Says it again and again, for as long as anybody listens."""
        with suppress(OSError):
            while not self.writer.is_closing():
                self.writer.write(data)
                await self.writer.drain()
                await asyncio.sleep(every)

    async def hears(self) -> Heard:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(fields["content-length"]))
        return Heard(int(head[0].split()[1]), fields, json.loads(body) if body else None)

    async def hears_the_end(self) -> bytes:
        """What it heard before the connection was ended."""
        said = b""
        with suppress(ConnectionError):
            while more := await self.reader.read(65_536):
                said += more
        return said

    def leave(self) -> None:
        self.writer.transport.abort()


async def connected(gateway: Gateway) -> Caller:
    where = urlsplit(gateway.url)
    return Caller(*await asyncio.open_connection(where.hostname, where.port))
