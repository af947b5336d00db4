"""Six agencies in one process, as quick as Python serves, for measuring what is in front of them.

Each answers at its own path with two records a company (one where a company has at most one), whatever the company.
`python -m benchmarks.agencies SOCKET` serves on an open listening socket, by its descriptor.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httptools
import orjson
import uvloop


@dataclass(frozen=True)
class Supplied:
    """What one agency supplies: the record type, the columns of its rows by field, and a company's rows."""

    record: str
    fields: Mapping[str, str]
    rows: tuple[Mapping[str, object], ...]


AGENCIES: Final[Mapping[str, Supplied]] = {
    "registry": Supplied(
        "Registration",
        {
            "name": "mc",
            "legalRepresentative": "fr",
            "address": "zs",
            "establishedOn": "clrq",
            "authority": "djjg",
            "businessScope": "jyfw",
            "validUntil": "jzrq",
            "registrationNumber": "zch",
        },
        (
            {
                "mc": "虚构若木贸易有限公司",
                "fr": "虚构",
                "zs": "浙江省杭州市虚构路1号",
                "clrq": "2010-03-04",
                "djjg": "虚构市场监督管理局",
                "jyfw": "货物进出口；技术进出口",
                "jzrq": "2040-03-03",
                "zch": "330100000000001",
            },
        ),
    ),
    "zhejiang-penalties": Supplied(
        "Penalty",
        {"documentNumber": "wh", "decidedOn": "rq", "authority": "jg", "facts": "ss", "severity": "cd", "amount": "je"},
        tuple(
            {
                "wh": f"虚罚{n}号",
                "rq": f"2026-10-0{n}",
                "jg": "虚构局",
                "ss": "虚构事实",
                "cd": "general",
                "je": "20000",
            }
            for n in (1, 2)
        ),
    ),
    "court": Supplied(
        "JudgmentDefault",
        {"caseNumber": "ah", "court": "fy", "filedOn": "rq", "amountDue": "je", "obligations": "yw", "conduct": "xw"},
        tuple(
            {
                "ah": f"虚执{n}号",
                "fy": "虚构法院",
                "rq": f"2026-09-0{n}",
                "je": "12345.67",
                "yw": "付款",
                "xw": "无",
            }
            for n in (1, 2)
        ),
    ),
    "tax": Supplied(
        "TaxCredit",
        {"year": "nd", "grade": "jb", "authority": "jg", "ratedOn": "rq"},
        tuple({"nd": f"{year}", "jb": "A", "jg": "虚构税务局", "rq": f"{year + 1}-04-30"} for year in (2025, 2024)),
    ),
    "customs": Supplied(
        "CustomsStanding",
        {"registrationNumber": "bm", "registeredOn": "rq", "customsOffice": "hg"},
        ({"bm": "3301000001", "rq": "2012-05-06", "hg": "虚构海关"},),
    ),
    "environment": Supplied(
        "EnvironmentCredit",
        {"year": "nd", "ratedOn": "rq", "authority": "jg", "score": "fs"},
        (
            {"nd": "2025", "rq": "2026-03-01", "jg": "虚构局", "fs": "90"},
            {"nd": "2024", "rq": "2025-03-01", "jg": "虚构局", "fs": "88"},
        ),
    ),
}

BATCH: Final = 1_000
CONCURRENCY: Final = 64


def write_manifests(directory: Path) -> None:
    """One manifest an agency, each at `${NAME_URL}`."""
    for agency, supplied in AGENCIES.items():
        fields = "\n".join(f"      {name}: {column(name, path)}" for name, path in supplied.fields.items())
        (directory / f"{agency}.yaml").write_text(
            f"agency: {agency}\n"
            f"name: {{en: {agency}, zh: {agency}}}\n"
            "kind: rest\n"
            f'connection: {{url: "${{{variable(agency)}}}"}}\n'
            f"concurrency: {CONCURRENCY}\n"
            "datasets:\n"
            f"  - record: {supplied.record}\n"
            "    key: dm\n"
            f"    batch: {BATCH}\n"
            "    missingMeans: none\n"
            "    timeToLive: 0\n"
            f"    request: {{method: POST, path: /{agency}, keys: {{in: body, name: dm, style: list}}}}\n"
            "    response: {rows: lb}\n"
            f"    fields:\n{fields}\n"
        )


def variable(agency: str) -> str:
    """The variable by which a manifest knows its agency's address."""
    return f"{agency.replace('-', '_').upper()}_URL"


def column(name: str, path: str) -> str:
    """A field as the manifest maps it."""
    return f"{{path: {path}, unit: 元}}" if name in {"amount", "amountDue"} else path


class _Connection(asyncio.Protocol):
    """One connection: each request is parsed, and answered at once."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        keys = orjson.loads(self._body)["dm"]
        self._body.clear()
        rows: list[dict[str, Any]] = [
            {"dm": key, **row} for key in keys for row in AGENCIES[self._path[1:].decode()].rows
        ]
        content = orjson.dumps({"lb": rows})
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
        self._transport.write(head + content)


async def _serve(listener: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(socket.socket(fileno=int(sys.argv[1]))))
