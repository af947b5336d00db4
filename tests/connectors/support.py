"""What the connectors' tests share: canonical shapes, lawful codes, and a small agency that speaks HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stdnum.cn import uscc

from connectors.contract import CompanyRows, FetchRequest, RecordShape
from connectors.reach import Reach
from connectors.supply import AgencySupply
from schema.credit_code import CreditCode
from schema.legacy_id import organisation_check_character
from schema.values import Kind

CONTROL = {
    "recordId": Kind.TEXT,
    "recordUrl": Kind.TEXT,
    "objection": Kind.BOOLEAN,
    "publishedFrom": Kind.DATE,
    "publishedUntil": Kind.DATE,
}
SHAPES = {
    "Registration": RecordShape(
        "Registration",
        single=True,
        fields={
            "name": Kind.TEXT,
            "status": Kind.CODE,
            "establishedOn": Kind.DATE,
            "registeredCapital": Kind.MONEY,
            "address": Kind.TEXT,
            "employees": Kind.COUNT,
            **CONTROL,
        },
    ),
    "Penalty": RecordShape(
        "Penalty",
        single=False,
        fields={
            "documentNumber": Kind.TEXT,
            "decidedOn": Kind.DATE,
            "amount": Kind.MONEY,
            "kind": Kind.CODE,
            "facts": Kind.TEXT,
            **CONTROL,
        },
        filters={"decidedFrom": ("decidedOn", ">="), "decidedTo": ("decidedOn", "<=")},
    ),
    "TaxCredit": RecordShape(
        "TaxCredit", single=False, fields={"year": Kind.INTEGER, "grade": Kind.CODE, "ratedOn": Kind.DATE, **CONTROL}
    ),
    "Shareholder": RecordShape(
        "Shareholder",
        single=False,
        fields={"holder": Kind.CREDIT_CODE, "share": Kind.DECIMAL, "heldSince": Kind.DATE_SPAN, **CONTROL},
    ),
}


def credit_code(number: int, prefix: str = "91330106") -> CreditCode:
    body = f"MA{number:06d}"
    text = prefix + body + organisation_check_character(body)
    return CreditCode.parse(text + uscc.calc_check_digit(text))


LOOPBACK = Reach(plain=(ip_network("127.0.0.0/8"),))
"""The tests' agencies are on this machine."""

CODES = tuple(credit_code(number) for number in range(1, 41))


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any
    target: str = ""


Reply = bytes | tuple[int, Any] | dict[str, Any] | list[Any]
Handler = Callable[[Asked], Awaitable[Reply]]


@dataclass
class Agency:
    """A small HTTP server. `read` reads a request's body.

    `answer` gives JSON, (status, JSON), or the very bytes to send: after these the connection is closed, once `hold` is
    set.
    """

    answer: Handler | None = None
    address: str = ""
    hold: asyncio.Event | None = None
    read: Callable[[bytes], Any] = json.loads
    asked: list[Asked] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            content = await reader.readexactly(int(headers.get("content-length", "0")))
            url = urlsplit(target)
            body = self.read(content) if content else None
            asked = Asked(method, url.path, parse_qsl(url.query, keep_blank_values=True), headers, body, target)
            self.asked.append(asked)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            try:
                assert self.answer is not None
                reply = await self.answer(asked)
            finally:
                self.under_way -= 1
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
                if self.hold is not None:
                    await self.hold.wait()
                return
            status, document = reply if isinstance(reply, tuple) else (200, reply)
            writer.write(http_reply(document, status))
            await writer.drain()


def http_reply(document: Any, status: int = 200) -> bytes:
    content = json.dumps(document, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def ask(  # noqa: PLR0913
    supply: AgencySupply,
    codes: Sequence[CreditCode],
    columns: Sequence[str] = (),
    *,
    seconds: float = 20,
    filters: Mapping[str, Any] | None = None,
    partition: str = "",
) -> Mapping[CreditCode, CompanyRows]:
    """Asks the only dataset for `columns` (all, where none are named)."""
    dataset = next(iter(supply.datasets.values()))
    return await supply.fetch(
        FetchRequest(
            dataset=dataset.id,
            codes=tuple(codes),
            columns=frozenset(columns) or dataset.fields,
            filters=filters or {},
            partition=partition,
            deadline=asyncio.get_running_loop().time() + seconds,
        )
    )
